#include "core/keepalived_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* "(FILE: Line 21) …" or "(Line 21) …" → 21; else 0. */
static size_t line_number(const char *line)
{
        const char *at = line[0] == '(' ? strstr(line, "Line ") : NULL;

        if (!at || !(at == line + 1 || (at > line + 2 && at[-1] == ' ' && at[-2] == ':')))
                return 0;
        return (size_t)strtoul(at + strlen("Line "), NULL, 10);
}

/* "[10.1.1.3]:tcp:80…", wherever in the line it stands, → its key. */
static int parse_key(const char *bracket, struct virtual_server *key)
{
        const char *text = bracket + 1, *end = strchr(text, ']');
        char address[ADDR_TEXT_SIZE];
        unsigned long port;

        if (!end || (size_t)(end - text) >= sizeof(address) || end[1] != ':')
                return -EINVAL;
        memcpy(address, text, (size_t)(end - text));
        address[end - text] = '\0';
        if (addr_parse(address, &key->vip) < 0)
                return -EINVAL;
        text = end + 2;
        for (key->protocol = PROTOCOL_TCP; key->protocol <= PROTOCOL_SCTP; key->protocol++) {
                size_t length = strlen(protocol_name(key->protocol));

                if (strncasecmp(text, protocol_name(key->protocol), length) != 0 || text[length] != ':')
                        continue;
                port = strtoul(text + length + 1, NULL, 10);
                key->port = (uint16_t)port;
                return port && port <= 65535 ? 0 : -EINVAL;
        }
        return -EINVAL;
}

static bool mark(const struct plan *plan, const struct virtual_server *key, bool *refused)
{
        const struct virtual_server *vs = plan_find(plan, &key->vip, key->protocol, key->port);
        size_t index = vs ? (size_t)(vs - plan->virtual_servers) : 0;

        if (!vs || refused[index])
                return false;
        refused[index] = true;
        return true;
}

static bool read_line(const char *line, const struct ipvs_config *config, const struct plan *plan,
                      bool *refused)
{
        struct virtual_server key = {0};
        size_t number = line_number(line);
        long piece = number ? ipvs_config_piece_at(config, number) : -1;

        if (piece >= 0)
                return mark(plan, &config->pieces[piece].key, refused);
        for (const char *at = strchr(line, '['); at; at = strchr(at + 1, '['))
                if (parse_key(at, &key) == 0 && mark(plan, &key, refused))
                        return true;
        return false;
}

size_t keepalived_report_read(const char *report, const struct ipvs_config *config, const struct plan *plan,
                              bool *refused, struct error *first)
{
        _cleanup_free_ char *copy = strdup(report);
        char *save = NULL;
        size_t marked = 0;

        *first = (struct error){0};
        if (!copy)
                return 0;
        for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                if (!first->what[0])
                        (void)error_set(first, NULL, "%s", line);
                marked += read_line(line, config, plan, refused);
        }
        return marked;
}
