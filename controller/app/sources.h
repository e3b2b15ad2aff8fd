/* The model, kept up to date by whatever source the options name: the API, or files with --objects. */
#pragma once

#include "app/options.h"
#include "base/error.h"
#include "core/metrics.h"
#include "core/plan.h"
#include "io/http_client.h"

#include <ev.h>
#include <jansson.h>

struct sources;

struct sources_listener {
        void *userdata;
        void (*changed)(void *userdata);         /* the model has, in what concerns a Service of it */
        void (*services_listed)(void *userdata); /* a complete list of Services has come; `changed` follows */
};

/* Opens the source; with files, the first reading happens during the call. `config` is borrowed. Returns 0
 * and *out, to be freed with sources_free; or a negative errno with *error set. */
int sources_new(struct ev_loop *loop, const struct options *options, const struct config *config,
                const struct sources_listener *listener, struct sources **out, struct error *error);

/* Both kinds have been listed completely once. */
bool sources_synced(const struct sources *sources);

/* Services of our class only, and every EndpointSlice. */
const struct model *sources_model(const struct sources *sources);

/* The API's client and address (borrowed), for those who write; NULL with files. */
struct http_client *sources_client(const struct sources *sources);
const char *sources_server(const struct sources *sources);

/* Begins a list of Services now, in every namespace that is followed: the next `services_listed` is of one no
 * older than this call. With the API only. Not from within a callback of the sources. */
void sources_list_services(struct sources *sources);

/* A Service as the API has just answered it to a write of ours. Goes into the model unless that has a newer
 * one, or none any more. */
void sources_take_service(struct sources *sources, const json_t *service);

/* What is counted of the API, per enum kube_kind, at now_ms (CLOCK_MONOTONIC). Returns false, and leaves
 * `out`, if the objects come from files. */
bool sources_metrics(const struct sources *sources, int64_t now_ms,
                     struct metrics_watch out[static KUBE_KIND_COUNT]);

/* NULL is fine. */
void sources_free(struct sources *sources);
