/* What the command line of qmail-listen asks for. */
#ifndef LISTEN_SETTINGS_H
#define LISTEN_SETTINGS_H

#include "base/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	DOORS_MAX = 16,         /* addresses one process listens on */
	PLACES_MAX = 65000,     /* connections at the same time */
	PLACES_DEFAULT = 40,    /* as tcpserver */
	BACKLOG_DEFAULT = 1024, /* the kernel has a ceiling of its own */
	BACKLOG_MAX = 65535
};

struct settings {
	bool verbose;        /* tell of each connection */
	bool quiet;          /* tell nothing */
	bool rules_optional; /* no file of rules: no rules */
	bool print_port;
	bool no_delay;     /* TCP_NODELAY */
	bool keep_options; /* IP options stay as the client set them */
	size_t places;     /* connections at the same time */
	size_t per_client; /* of one client; 0: as many as there are places */
	int backlog;
	const char *rules;      /* path of a cdb, or NULL */
	const char *local_host; /* for $TCPLOCALHOST, or NULL */
	const char *banner;     /* sent before anything else, or NULL */
	bool drop;              /* become uid and gid */
	uid_t uid;
	gid_t gid;
	struct ipaddr addresses[DOORS_MAX];
	size_t address_count;
	uint16_t port; /* 0: the system chooses */
	char *const *program;
};

/* Ends the program with a message where something cannot be had. */
void settings_parse(struct settings *s, int argc, char **argv);

#endif
