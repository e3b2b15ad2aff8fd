/* The keepalived configuration as text: one frame (template `ipvs.conf`), and in it one piece per virtual
 * server (template `virtual_server`, or the one its Service names).
 *
 * A piece that cannot be made, or that keepalived refused, never takes the others with it: what was accepted
 * for that virtual server before stays in its place, if it was the same Service's, and a problem says so.
 */
#pragma once

#include "core/plan.h"
#include "core/template.h"

/* The last line of the frame must be this: a file without it was cut short. */
#define IPVS_CONFIG_END "# coracle: end of configuration\n"

/* Stands for the pieces while the frame is rendered. */
#define IPVS_FRAME_TEMPLATE "ipvs.conf"
#define IPVS_SERVICE_TEMPLATE "virtual_server"

struct named_template {
        char *name;
        struct template *template;
};

/* Sorted by name. */
struct template_set {
        struct named_template *templates;
        size_t count;
};

/* Adds a template; takes it over in case of success. The name must be new. 0 or -ENOMEM. */
int template_set_add(struct template_set *set, const char *name, struct template *template);
const struct template *template_set_find(const struct template_set *set,
                                         const char *name); /* NULL if absent */
void template_set_clear(struct template_set *set);

/* Where a virtual server's piece stands in the text. */
struct ipvs_piece {
        struct virtual_server key;  /* vip, protocol, port only */
        size_t offset, length;      /* bytes */
        size_t first_line, n_lines; /* first_line counts from 1 */
        bool held;                  /* taken over from before instead of rendered */
};

/* Zero-initialised is empty. */
struct ipvs_config {
        struct strbuf text;
        struct ipvs_piece
            *pieces; /* in the order of the plan's virtual servers, those without a piece left out */
        size_t n_pieces;
};

void ipvs_config_clear(struct ipvs_config *config);
static inline void ipvs_config_clear_p(struct ipvs_config *config)
{
        ipvs_config_clear(config);
}
#define _cleanup_ipvs_config_ _cleanup_(ipvs_config_clear_p)

struct refusals;

struct ipvs_config_request {
        const struct template_set *templates;
        const char *notify_fifo;            /* a path; NULL: none (render without a daemon) */
        const struct ipvs_config *accepted; /* what keepalived runs with; NULL: nothing yet */
        const struct plan *applied;         /* whose configuration that is; NULL likewise */
        struct refusals *refusals;          /* what keepalived has refused (core/refusals.h); NULL: nothing */
};

/* Renders the plan. Problems are added to it. Returns 0 and *out (cleared by the caller);
 * or -EINVAL/-ENOMEM with *error set if the frame itself fails: then nothing can be applied. */
int ipvs_config_render(const struct ipvs_config_request *request, struct plan *plan, struct ipvs_config *out,
                       struct error *error);

/* Makes the plan tell what the text does: a virtual server whose piece is held is what it was in `applied`
 * (may be NULL), one without a piece is dropped. Call it when the text is applied. 0 or -ENOMEM. */
int ipvs_config_adopt(const struct ipvs_config *config, struct plan *plan, const struct plan *applied);

/* The index of the piece that holds the line, or -1 if the frame does. */
long ipvs_config_piece_at(const struct ipvs_config *config, size_t line);

/* The piece of that virtual server, or -1. */
long ipvs_config_piece_of(const struct ipvs_config *config, const struct virtual_server *key);
