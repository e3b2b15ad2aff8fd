/* Pieces of configuration that keepalived has refused (core/ipvs_config.h). It is not asked again about the
 * same text: what was accepted before is held at once, however often other Services change meanwhile. */
#pragma once

#include "core/ipvs_config.h"

struct refusal {
        struct virtual_server key; /* vip, protocol, port only */
        char *text;
        size_t length;
        bool renewed; /* rendered since refusals_begin */
};

/* Zero-initialised is empty. */
struct refusals {
        struct refusal *refusals; /* sorted by key, each once */
        size_t count;
};

/* Whether this text was refused for that virtual server. Then it is not forgotten by refusals_end. */
bool refusals_have(struct refusals *refusals, const struct virtual_server *key, const char *text,
                   size_t length);

/* Remembers the pieces of the virtual servers that are marked (one flag per virtual server of the plan), but
 * those that are held. 0 or -ENOMEM: some are not remembered. */
int refusals_add(struct refusals *refusals, const struct ipvs_config *config, const struct plan *plan,
                 const bool *marked);

/* Before a plan is rendered, and when it is applied: what was not rendered in between is forgotten. */
void refusals_begin(struct refusals *refusals);
void refusals_end(struct refusals *refusals);

void refusals_clear(struct refusals *refusals);
