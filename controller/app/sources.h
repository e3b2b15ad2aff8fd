/* The model, kept up to date by whatever source the options name: the API, or files with --objects. */
#pragma once

#include "app/options.h"
#include "base/error.h"
#include "core/metrics.h"
#include "core/plan.h"
#include "io/http_client.h"

#include <ev.h>

struct sources;

/* The model has changed. */
typedef void sources_fn(void *userdata);

/* Opens the source; with files, the first reading happens during the call. `config` is borrowed. Returns 0
 * and *out, to be freed with sources_free; or a negative errno with *error set. */
int sources_new(struct ev_loop *loop, const struct options *options, const struct config *config,
                sources_fn *changed, void *userdata, struct sources **out, struct error *error);

/* Both kinds have been listed completely once. */
bool sources_synced(const struct sources *sources);

const struct model *sources_model(const struct sources *sources);

/* Who assigns addresses: with files nobody else does. */
enum plan_addresses sources_addresses(const struct sources *sources);

/* What is counted of the API, per enum kube_kind, at now_ms (CLOCK_MONOTONIC). Returns false, and leaves
 * `out`, if the objects come from files. */
bool sources_metrics(const struct sources *sources, int64_t now_ms,
                     struct metrics_watch out[static KUBE_KIND_COUNT]);

/* The API's client, or NULL. Borrowed. */
struct http_client *sources_client(const struct sources *sources);

/* NULL is fine. */
void sources_free(struct sources *sources);
