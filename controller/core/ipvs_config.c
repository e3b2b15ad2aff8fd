#include "core/ipvs_config.h"

#include "core/refusals.h"
#include "core/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A safe token that no template contains by accident; replaced by the pieces. */
#define PIECES_MARK "coracle-virtual-servers-stand-here"

/* ---- template_set ---- */

static size_t lower_bound(const struct template_set *set, const char *name)
{
        size_t low = 0, high = set->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(set->templates[middle].name, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

int template_set_add(struct template_set *set, const char *name, struct template *template)
{
        size_t at = lower_bound(set, name);
        struct named_template *grown;
        char *copy = strdup(name);

        if (!copy)
                return -ENOMEM;
        grown = reallocarray(set->templates, set->count + 1, sizeof(*grown));
        if (!grown) {
                free(copy);
                return -ENOMEM;
        }
        set->templates = grown;
        memmove(grown + at + 1, grown + at, (set->count - at) * sizeof(*grown));
        grown[at] = (struct named_template){.name = copy, .template = template};
        set->count++;
        return 0;
}

const struct template *template_set_find(const struct template_set *set, const char *name)
{
        size_t at = lower_bound(set, name);

        return at < set->count && strcmp(set->templates[at].name, name) == 0 ? set->templates[at].template
                                                                             : NULL;
}

void template_set_clear(struct template_set *set)
{
        for (size_t i = 0; i < set->count; i++) {
                free(set->templates[i].name);
                template_free(set->templates[i].template);
        }
        free(set->templates);
        *set = (struct template_set){0};
}

/* ---- pieces ---- */

static size_t count_lines(const char *text, size_t length)
{
        size_t lines = 0;

        for (const char *end = text + length; (text = memchr(text, '\n', (size_t)(end - text))); text++)
                lines++;
        return lines;
}

/* keepalived's parser finds a piece's end by its braces: one too few or too many would swallow its
 * neighbours, and keepalived could not say whose fault it was. Comments begin with # or !, and a quote hides
 * a brace. */
static bool braces_balance(const char *text, size_t length)
{
        bool in_comment = false, in_quotes = false;
        long depth = 0;

        for (size_t i = 0; i < length; i++) {
                char c = text[i];

                if (c == '\n')
                        in_comment = in_quotes = false;
                else if (in_comment)
                        continue;
                else if (c == '"')
                        in_quotes = !in_quotes;
                else if (!in_quotes && (c == '#' || c == '!'))
                        in_comment = true;
                else if (!in_quotes && c == '{')
                        depth++;
                else if (!in_quotes && c == '}' && --depth < 0)
                        return false;
        }
        return depth == 0;
}

/* The service's own template and its name; where there is none of that name, a problem and the default. */
static int pick_template(const struct template_set *templates, struct plan *plan,
                         const struct plan_service *service, const struct template **out, const char **name)
{
        *name = service->template;
        *out = *name ? template_set_find(templates, *name) : NULL;
        if (*out)
                return 0;
        *name = IPVS_SERVICE_TEMPLATE;
        *out = template_set_find(templates, *name);
        if (!service->template)
                return 0;
        return plan_add_problem(plan, service->name, "TemplateMissing", "there is no template %s; using %s",
                                service->template, IPVS_SERVICE_TEMPLATE);
}

/* Appends the piece of one virtual server. Returns 0, -EINVAL with *error set if it cannot be made, or
 * -ENOMEM. */
static int render_piece(const struct ipvs_config_request *request, struct plan *plan,
                        const struct virtual_server *vs, struct strbuf *text, struct error *error)
{
        _cleanup_json_ json_t *view = view_virtual_server(plan, vs);
        const struct template *template = NULL;
        const char *name = NULL;
        size_t start = text->length;
        int r;

        if (!view ||
            pick_template(request->templates, plan, &plan->services[vs->service], &template, &name) < 0)
                return error_oom(error);
        if (!template)
                return error_set(error, NULL, "there is no template %s", IPVS_SERVICE_TEMPLATE);
        r = template_render(template, view, TEMPLATE_VALUES_TOKEN, text, error);
        if (r < 0)
                return r;
        if (text->length == start)
                return error_set(error, name, "the template renders nothing");
        if (!braces_balance(text->text + start, text->length - start))
                (void)error_set(error, name, "the template's braces do not balance");
        else if (text->text[text->length - 1] != '\n' && strbuf_puts(text, "\n") < 0)
                return error_oom(error);
        else if (request->refusals &&
                 refusals_have(request->refusals, vs, text->text + start, text->length - start))
                (void)error_set(error, NULL, "keepalived refuses its configuration");
        if (!error->what[0])
                return 0;
        text->length = start;
        text->text[start] = '\0';
        return -EINVAL;
}

/* What another Service had at this address is not held: it had other source ranges. */
static bool is_of_same_service(const struct plan *applied, const struct plan *plan,
                               const struct virtual_server *vs)
{
        const struct virtual_server *old =
            applied ? plan_find(applied, &vs->vip, vs->protocol, vs->port) : NULL;

        return old && strcmp(applied->services[old->service].name, plan->services[vs->service].name) == 0;
}

static int append_accepted(const struct ipvs_config_request *request, const struct plan *plan,
                           const struct virtual_server *vs, struct strbuf *text, bool *held)
{
        const struct ipvs_config *accepted = request->accepted;
        const long at = accepted && is_of_same_service(request->applied, plan, vs)
                            ? ipvs_config_piece_of(accepted, vs)
                            : -1;

        *held = at >= 0;
        if (at < 0)
                return 0;
        return strbuf_append(text, accepted->text.text + accepted->pieces[at].offset,
                             accepted->pieces[at].length);
}

/* Renders the piece, or holds the accepted one in its place with a problem. */
static int add_piece(const struct ipvs_config_request *request, struct plan *plan, size_t index,
                     struct ipvs_config *out, size_t *line)
{
        const struct virtual_server *vs = &plan->virtual_servers[index];
        struct ipvs_piece piece = {.key = *vs, .offset = out->text.length, .first_line = *line};
        struct error error = {0};
        int r = render_piece(request, plan, vs, &out->text, &error);

        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                if (append_accepted(request, plan, vs, &out->text, &piece.held) < 0)
                        return -ENOMEM;
                r = plan_add_problem(plan, plan->services[vs->service].name, "TemplateFailed", "%s%s%s; %s",
                                     error.where, error.where[0] ? ": " : "", error.what,
                                     piece.held ? "keeping what runs" : "left out");
                if (r < 0)
                        return r;
                if (!piece.held)
                        return 0;
        }
        piece.key.real_servers = NULL;
        piece.key.n_real_servers = 0;
        piece.length = out->text.length - piece.offset;
        piece.n_lines = count_lines(out->text.text + piece.offset, piece.length);
        *line += piece.n_lines;
        out->pieces[out->n_pieces++] = piece;
        return 0;
}

static int render_frame(const struct ipvs_config_request *request, struct strbuf *out, struct error *error)
{
        const struct template *frame = template_set_find(request->templates, IPVS_FRAME_TEMPLATE);
        _cleanup_json_ json_t *view = NULL;
        const char *mark;
        int r;

        if (!frame)
                return error_set(error, NULL, "there is no template %s", IPVS_FRAME_TEMPLATE);
        view = json_object();
        if (json_object_set_new(view, "virtual_servers", json_string(PIECES_MARK)) < 0 ||
            json_object_set_new(view, "notify_fifo",
                                request->notify_fifo ? json_string(request->notify_fifo) : json_false()) < 0)
                return error_oom(error);
        r = template_render(frame, view, TEMPLATE_VALUES_TOKEN, out, error);
        if (r < 0)
                return r;
        mark = out->text ? strstr(out->text, PIECES_MARK) : NULL;
        if (!mark || strstr(mark + 1, PIECES_MARK))
                return error_set(error, IPVS_FRAME_TEMPLATE, "must contain {{virtual_servers}} once");
        if (out->length < strlen(IPVS_CONFIG_END) ||
            strcmp(out->text + out->length - strlen(IPVS_CONFIG_END), IPVS_CONFIG_END) != 0)
                return error_set(error, IPVS_FRAME_TEMPLATE, "its last line must be: %.*s",
                                 (int)strlen(IPVS_CONFIG_END) - 1, IPVS_CONFIG_END);
        return 0;
}

int ipvs_config_render(const struct ipvs_config_request *request, struct plan *plan, struct ipvs_config *out,
                       struct error *error)
{
        _cleanup_strbuf_ struct strbuf frame = {0};
        const char *head, *mark, *tail;
        size_t line;
        int r;

        ipvs_config_clear(out);
        r = render_frame(request, &frame, error);
        if (r < 0)
                return r;
        head = frame.text;
        mark = strstr(head, PIECES_MARK);
        tail = mark + strlen(PIECES_MARK);
        out->pieces = calloc(plan->n_virtual_servers + 1, sizeof(*out->pieces));
        if (!out->pieces || strbuf_append(&out->text, head, (size_t)(mark - head)) < 0)
                return error_oom(error);
        line = 1 + count_lines(head, (size_t)(mark - head));
        for (size_t i = 0; i < plan->n_virtual_servers; i++)
                if (add_piece(request, plan, i, out, &line) < 0)
                        return error_oom(error);
        tail += *tail == '\n'; /* every piece has brought its own */
        if (strbuf_puts(&out->text, tail) < 0)
                return error_oom(error);
        return 0;
}

int ipvs_config_adopt(const struct ipvs_config *config, struct plan *plan, const struct plan *applied)
{
        for (size_t i = 0; i < plan->n_virtual_servers; i++) {
                long at = ipvs_config_piece_of(config, &plan->virtual_servers[i]);

                if (at >= 0 && !config->pieces[at].held)
                        continue;
                if (plan_hold(plan, i, at >= 0 ? applied : NULL) < 0)
                        return -ENOMEM;
        }
        plan_compact(plan);
        return 0;
}

long ipvs_config_piece_at(const struct ipvs_config *config, size_t line)
{
        size_t low = 0, high = config->n_pieces;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct ipvs_piece *piece = &config->pieces[middle];

                if (line < piece->first_line)
                        high = middle;
                else if (line >= piece->first_line + piece->n_lines)
                        low = middle + 1;
                else
                        return (long)middle;
        }
        return -1;
}

long ipvs_config_piece_of(const struct ipvs_config *config, const struct virtual_server *key)
{
        size_t low = 0, high = config->n_pieces;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = virtual_server_compare(key, &config->pieces[middle].key);

                if (order == 0)
                        return (long)middle;
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return -1;
}

void ipvs_config_clear(struct ipvs_config *config)
{
        strbuf_clear(&config->text);
        free(config->pieces);
        *config = (struct ipvs_config){0};
}
