/* Between smtp/sasl.c and the files of the mechanisms. */
#ifndef SMTP_SASL_MECHANISMS_H
#define SMTP_SASL_MECHANISMS_H

#include "smtp/sasl.h"

/* All step functions: see struct sasl_mechanism. */
enum sasl_result sasl_login_step(struct sasl *, struct strv, struct buf *);
enum sasl_result sasl_plain_step(struct sasl *, struct strv, struct buf *);
enum sasl_result sasl_cram_step(struct sasl *, struct strv, struct buf *);
enum sasl_result sasl_digest_step(struct sasl *, struct strv, struct buf *);
enum sasl_result sasl_digest_finish(struct sasl *, struct strv, struct buf *);
enum sasl_result sasl_scram_step(struct sasl *, struct strv, struct buf *);
enum sasl_result sasl_scram_finish(struct sasl *, struct strv, struct buf *);

/* SASL_CHECK, or SASL_REFUSED for a name that no checker is asked about:
 * empty, too long, with control characters. */
enum sasl_result sasl_set_user(struct sasl *x, struct strv user);
/* Adds n random bytes as hexadecimal digits: 0, QE_SYS. */
int sasl_add_nonce(struct buf *out, size_t n);
/* True if v holds NUL or another control character. */
bool sasl_has_controls(struct strv v);
/* True for n lower- or upper-case hexadecimal digits. */
bool sasl_is_hex(struct strv v, size_t n);

#endif
