/*
 * Where programs end with words.  Only main-level code of a program calls
 * these; libraries return codes.  Texts go to descriptor 2 as
 * "<program>: fatal: <text>", control characters escaped.
 */
#ifndef BASE_DIE_H
#define BASE_DIE_H

/* Set once by program_begin(); "qmail" before. */
void die_set_name(const char *name);
const char *die_name(void);

_Noreturn void die(int code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "<prog>: fatal: <text>: <error text of errno>" */
_Noreturn void die_errno(int code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "<prog>: warning: <text>" and goes on. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "<prog>: usage: <text>", exit 100. */
_Noreturn void die_usage(const char *usage);
_Noreturn void die_nomem(void); /* 111 */
/* An impossible state, never for bad input: exit 101. */
_Noreturn void bug(const char *what);

#endif
