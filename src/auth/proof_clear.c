/* Clear passwords alone, for a checker that starts fast and links libc. */
#include "auth/proof.h"
#include "base/error.h"
#include "base/secret.h"

const char *
proof_elsewhere(const char *sasl)
{
	return proof_is_clear(sasl) ? NULL : "checkqpasswd-sasl";
}

int
proof_open(struct proof *p, const char *sasl, const struct credentials *given)
{
	*p = (struct proof){ .sasl = sasl, .given = given, .facts_fd = -1 };
	return proof_is_clear(sasl) ? 0 : QE_ABSENT;
}

int
proof_check(const struct proof *p, struct strv password, bool *match,
    struct buf *answer)
{
	(void)answer;
	*match = secret_equal_view(password, strv_of(p->given->a));
	return 0;
}
