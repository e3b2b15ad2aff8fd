/* A number for a whole plan or table, so that an alert can compare what LB pods hold without having it:
 * FNV-1a of 32 bits (which a metric's float holds exactly) over every virtual server's address, protocol,
 * port and scheduler, and every real server's address, port, forwarding and weight, in their sorted order.
 *
 * The two functions agree: a kernel that holds just the plan has the plan's fingerprint. It has another one
 * while servers are out because of their health check, or a change is on its way; and where the scheduler is
 * mh, while the kernel's list has another order than it should.
 */
#pragma once

#include "core/ipvs_table.h"

uint32_t plan_fingerprint(const struct plan *plan);         /* NULL: as of an empty one */
uint32_t plan_serving_fingerprint(const struct plan *plan); /* likewise; without real servers that drain */
uint32_t ipvs_table_fingerprint(const struct ipvs_table *table); /* likewise */
