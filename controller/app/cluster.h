/* What this pod does in the cluster besides reading: it may be elected, and then assigns addresses and tells
 * of problems by Events. With files as source there is none of that.
 */
#pragma once

#include "app/options.h"
#include "app/sources.h"
#include "core/plan.h"

struct cluster;

/* All borrowed. `replan` is called when something else than the model has changed. Returns 0 and *out, to be
 * freed with cluster_free before the sources; or a negative errno with *error set. */
int cluster_new(struct ev_loop *loop, const struct options *options, struct sources *sources,
                void (*replan)(void *userdata), void *userdata, struct cluster **out, struct error *error);

/* How the next plan has to see addresses. */
enum plan_addresses cluster_addresses(const struct cluster *cluster);

bool cluster_is_leading(const struct cluster *cluster);

/* A complete list of Services has come. */
void cluster_services_listed(struct cluster *cluster);

/* A plan has been made: writes what it assigns. Takes the plan's assignments. With the first one this pod
 * begins to run for leader: one that has no plan could assign nothing. */
void cluster_planned(struct cluster *cluster, struct plan *plan);

/* It is in force: tells what is wrong, also with templates, and what keepalived has refused. */
void cluster_applied(struct cluster *cluster, const struct model *model, const struct plan *plan);

/* We are leaving: somebody else shall lead. */
void cluster_resign(struct cluster *cluster);

/* NULL is fine. */
void cluster_free(struct cluster *cluster);
