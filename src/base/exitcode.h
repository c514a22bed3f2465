/*
 * Exit codes are an interface: every program of the suite uses these, and the
 * manual pages quote them.  The tables of qmail-queue and qmail-local are
 * older than all of us and may not be renumbered.
 */
#ifndef BASE_EXITCODE_H
#define BASE_EXITCODE_H

enum exit_code {
	EX_SUCCESS = 0,
	EX_SKIP_REST = 99, /* success; ignore the following .qmail lines */
	EX_PERMANENT = 100,
	EX_BUG = 101,
	EX_TEMPORARY = 111
};

/* qmail-queue and whatever $QMAILQUEUE puts in its place. */
enum queue_exit {
	QQ_OK = 0,
	QQ_ADDRESS_TOO_LONG = 11,
	QQ_REFUSED_PERM = 31,
	QQ_NOMEM = 51,
	QQ_TIMEOUT = 52,
	QQ_WRITE = 53,
	QQ_READ = 54,
	QQ_CONFIG = 55,
	QQ_NETWORK = 56,
	QQ_CHDIR_HOME = 61,
	QQ_CHDIR_QUEUE = 62,
	QQ_PID = 63,
	QQ_MESS = 64,
	QQ_INTD = 65,
	QQ_TODO = 66,
	QQ_REFUSED_TEMP = 71,
	QQ_CONNECT_TIMEOUT = 72,
	QQ_CONNECT_REFUSED = 73,
	QQ_COMMUNICATION = 74,
	QQ_BUG = 81,
	QQ_CUSTOM = 82,
	QQ_ENVELOPE = 91,
	QQ_ADDRESS_TOO_LONG_OLD = 115,
	QQ_EXEC = 120
};

/* qmail-local's children and qmail-lspawn's child before the exec. */
enum local_exit {
	QL_LSPAWN_BUG = 112,
	QL_ROOT = 113,
	QL_NFS = 115,
	QL_NO_ALIAS = 116,
	QL_CDB = 117,
	QL_LSPAWN_TEMP = 118,
	QL_LSPAWN_NOMEM = 119,
	QL_EXEC_TEMP = 120,
	QL_GETPW = 121,
	QL_EXEC_PERM = 126
};

#endif
