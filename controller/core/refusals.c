#include "core/refusals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where it stands, or would. */
static size_t place_of(const struct refusals *refusals, const struct virtual_server *key)
{
        size_t i = 0;

        while (i < refusals->count && virtual_server_compare(&refusals->refusals[i].key, key) < 0)
                i++;
        return i;
}

static struct refusal *find(const struct refusals *refusals, const struct virtual_server *key)
{
        const size_t i = place_of(refusals, key);

        return i < refusals->count && virtual_server_compare(&refusals->refusals[i].key, key) == 0
                   ? &refusals->refusals[i]
                   : NULL;
}

bool refusals_have(struct refusals *refusals, const struct virtual_server *key, const char *text,
                   size_t length)
{
        struct refusal *refusal = find(refusals, key);

        if (!refusal || refusal->length != length || memcmp(refusal->text, text, length) != 0)
                return false;
        refusal->renewed = true;
        return true;
}

static int add(struct refusals *refusals, const struct virtual_server *key, const char *text, size_t length)
{
        const size_t i = place_of(refusals, key);
        struct refusal *refusal = find(refusals, key), *grown;
        char *copy = malloc(length + 1);

        if (!copy)
                return -ENOMEM;
        memcpy(copy, text, length);
        if (!refusal) {
                grown = reallocarray(refusals->refusals, refusals->count + 1, sizeof(*grown));
                if (!grown) {
                        free(copy);
                        return -ENOMEM;
                }
                memmove(grown + i + 1, grown + i, (refusals->count - i) * sizeof(*grown));
                refusals->refusals = grown;
                refusals->count++;
                refusal = &grown[i];
                *refusal = (struct refusal){0};
        }
        free(refusal->text);
        *refusal = (struct refusal){.key = *key, .text = copy, .length = length, .renewed = true};
        refusal->key.real_servers = NULL;
        refusal->key.n_real_servers = 0;
        return 0;
}

int refusals_add(struct refusals *refusals, const struct ipvs_config *config, const struct plan *plan,
                 const bool *marked)
{
        int r = 0;

        for (size_t i = 0; i < plan->n_virtual_servers && r == 0; i++) {
                const long at = marked[i] ? ipvs_config_piece_of(config, &plan->virtual_servers[i]) : -1;
                const struct ipvs_piece *piece = at >= 0 ? &config->pieces[at] : NULL;

                if (piece && !piece->held)
                        r = add(refusals, &piece->key, config->text.text + piece->offset, piece->length);
        }
        return r;
}

void refusals_begin(struct refusals *refusals)
{
        for (size_t i = 0; i < refusals->count; i++)
                refusals->refusals[i].renewed = false;
}

void refusals_end(struct refusals *refusals)
{
        size_t kept = 0;

        for (size_t i = 0; i < refusals->count; i++) {
                if (refusals->refusals[i].renewed)
                        refusals->refusals[kept++] = refusals->refusals[i];
                else
                        free(refusals->refusals[i].text);
        }
        refusals->count = kept;
}

void refusals_clear(struct refusals *refusals)
{
        for (size_t i = 0; i < refusals->count; i++)
                free(refusals->refusals[i].text);
        free(refusals->refusals);
        *refusals = (struct refusals){0};
}
