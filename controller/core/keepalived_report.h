/* What `keepalived -t` complains about, and whose fault it is. Its lines look like
 *   (/run/coracle/keepalived.conf.new: Line 21) Invalid lvs_scheduler 'bogus' - ignoring
 *   Virtual server [10.1.1.3]:tcp:80 has no real servers - ignoring
 *   Warning - quorum 5 for [10.1.1.3]:tcp:80 exceeds total weight of real servers 1, reducing quorum to 1
 */
#pragma once

#include "core/ipvs_config.h"

/* Marks in `refused` (one flag per virtual server of the plan) whatever the report names. `first` receives
 * the first complaint in keepalived's words. Returns how many virtual servers were newly marked: 0 means that
 * the report names none, and nothing is known about whose fault it is. */
size_t keepalived_report_read(const char *report, const struct ipvs_config *config, const struct plan *plan,
                              bool *refused, struct error *first);
