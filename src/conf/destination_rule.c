/* Values of control/destinations; see the header. */
#include "conf/destination_rule.h"
#include "base/error.h"
#include "conf/control_file.h"

enum { FRACTION_DIGITS = 3 };

/* "12", "0.5", "12.125": thousandths. */
static int
parse_rate(struct strv text, uint64_t *out)
{
	bool has_point;
	struct strv whole = strv_cut(&text, '.', &has_point);
	uint64_t units = 0, fraction = 0;
	int r = strv_to_u64(whole, DESTINATION_RATE_MAX, &units);

	if (r == 0 && has_point) {
		if (text.len > FRACTION_DIGITS)
			return QE_SYNTAX;
		r = strv_to_u64(text, DESTINATION_RATE_UNIT, &fraction);
	}
	if (r != 0)
		return r;
	for (size_t i = text.len; has_point && i < FRACTION_DIGITS; i++)
		fraction *= 10;
	units = units * DESTINATION_RATE_UNIT + fraction;
	if (units == 0)
		return QE_SYNTAX;
	*out = units;
	return 0;
}

int
destination_rule_parse(struct strv value, struct destination_rule *out)
{
	struct destination_rule rule = DESTINATION_RULE_NONE;
	bool has_rate;
	struct strv rest = value;
	struct strv places = strv_trim_blanks(strv_cut(&rest, ':', &has_rate));
	uint64_t n;
	int r = 0;

	rest = strv_trim_blanks(rest);
	if (places.len == 0 && rest.len == 0)
		return QE_SYNTAX;
	if (places.len > 0) {
		r = strv_to_u64(places, DESTINATION_CONCURRENCY_MAX, &n);
		if (r != 0)
			return r;
		rule.concurrency = (unsigned)n;
	}
	if (rest.len > 0)
		r = parse_rate(rest, &rule.rate);
	if (r == 0)
		*out = rule;
	return r;
}

int
destination_rules_load(struct control_set *out, struct control_error *err)
{
	const struct control_entry *bad = NULL;
	struct destination_rule rule;
	int r = control_set_load(CTL_DESTINATIONS, out, err);

	if (r != 0)
		return r;
	for (size_t i = 0; i < out->count; i++)
		if (destination_rule_parse(out->entries[i].value, &rule) != 0 &&
		    (bad == NULL || out->entries[i].line < bad->line))
			bad = &out->entries[i];
	if (bad == NULL)
		return 0;
	control_error_set(err, "control/destinations", bad->line,
	    "not name:connections:messages a second");
	return QE_SYNTAX;
}
