#include "core/ipvs_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_FIELDS 6
#define MIN_ROOM 64

/* Splits at blanks, in place. Returns the number of fields, at most LINE_FIELDS; the rest of the line is
 * ignored. */
static size_t split(char *line, char *fields[static LINE_FIELDS])
{
        size_t count = 0;
        char *save = NULL;

        for (char *field = strtok_r(line, " \t", &save); field && count < LINE_FIELDS;
             field = strtok_r(NULL, " \t", &save))
                fields[count++] = field;
        return count;
}

static int parse_number(const char *text, int base, unsigned long max, unsigned long *out)
{
        char *end;
        unsigned long value;

        if (!strchr("0123456789abcdefABCDEF", text[0]) || !text[0])
                return -EINVAL;
        errno = 0;
        value = strtoul(text, &end, base);
        if (errno || *end || value > max)
                return -EINVAL;
        *out = value;
        return 0;
}

/* "0A010101:0050" or "[fd00:0001:…]:0050", all hexadecimal, IPv4 as a number. */
static int parse_endpoint(char *text, struct addr *addr, uint16_t *port)
{
        char *colon = strrchr(text, ':');
        unsigned long number, port_number;

        if (!colon)
                return -EINVAL;
        *colon = '\0';
        if (parse_number(colon + 1, 16, 65535, &port_number) < 0)
                return -EINVAL;
        if (text[0] == '[' && colon > text + 1 && colon[-1] == ']') {
                colon[-1] = '\0';
                if (addr_parse(text + 1, addr) < 0 || addr->family != AF_INET6)
                        return -EINVAL;
        } else {
                if (strlen(text) != 8 || parse_number(text, 16, UINT32_MAX, &number) < 0)
                        return -EINVAL;
                *addr = (struct addr){.family = AF_INET};
                for (int i = 0; i < 4; i++)
                        addr->bytes[i] = (uint8_t)(number >> (24 - 8 * i));
        }
        *port = (uint16_t)port_number;
        return 0;
}

static int parse_protocol(const char *text, enum protocol *out)
{
        for (enum protocol p = PROTOCOL_TCP; p <= PROTOCOL_SCTP; p++) {
                if (strcmp(text, protocol_name(p)) == 0) {
                        *out = p;
                        return 0;
                }
        }
        return -EINVAL;
}

/* TCP  0A010101:0050 rr [ops] [persistent TIMEOUT NETMASK] */
static int parse_virtual(char *fields[static LINE_FIELDS], size_t count, struct ipvs_virtual *out)
{
        struct ipvs_virtual virtual = {0};

        if (count < 3 || parse_protocol(fields[0], &virtual.protocol) < 0 ||
            parse_endpoint(fields[1], &virtual.vip, &virtual.port) < 0 ||
            strlen(fields[2]) >= sizeof(virtual.scheduler))
                return -EINVAL;
        memcpy(virtual.scheduler, fields[2], strlen(fields[2]) + 1);
        for (size_t i = 3; i < count; i++)
                virtual.persistent |= strcmp(fields[i], "persistent") == 0;
        *out = virtual;
        return 0;
}

/* -> AC100101:0050 Masq 1 0 0 */
static int parse_real(char *fields[static LINE_FIELDS], size_t count, struct ipvs_real *out)
{
        struct ipvs_real real = {0};
        unsigned long weight, active, inactive;

        if (count < 6 || parse_endpoint(fields[1], &real.addr, &real.port) < 0 ||
            parse_number(fields[3], 10, UINT32_MAX, &weight) < 0 ||
            parse_number(fields[4], 10, UINT32_MAX, &active) < 0 ||
            parse_number(fields[5], 10, UINT32_MAX, &inactive) < 0)
                return -EINVAL;
        real.forwarding_known = strcmp(fields[2], "Masq") == 0 || strcmp(fields[2], "Tunnel") == 0;
        real.forwarding = fields[2][0] == 'T' ? FORWARDING_TUNNEL : FORWARDING_NAT;
        real.weight = (uint32_t)weight;
        real.active = (uint32_t)active;
        real.inactive = (uint32_t)inactive;
        *out = real;
        return 0;
}

int ipvs_virtual_compare(const void *a, const void *b)
{
        const struct ipvs_virtual *x = a, *y = b;
        int order = addr_compare(&x->vip, &y->vip);

        if (!order)
                order = (int)x->protocol - (int)y->protocol;
        return order ? order : (int)x->port - (int)y->port;
}

int ipvs_real_compare(const void *a, const void *b)
{
        const struct ipvs_real *x = a, *y = b;
        int order = addr_compare(&x->addr, &y->addr);

        return order ? order : (int)x->port - (int)y->port;
}

/* Room for one more: the first allocation has MIN_ROOM, the next ones twice as much as the one before. */
static int make_room(void **array, size_t count, size_t size)
{
        void *grown;

        if (count && (count < MIN_ROOM || (count & (count - 1))))
                return 0;
        grown = reallocarray(*array, count ? 2 * count : MIN_ROOM, size);
        if (!grown)
                return -ENOMEM;
        *array = grown;
        return 0;
}

int ipvs_table_add_virtual(struct ipvs_table *table, const struct ipvs_virtual *virtual)
{
        void *virtuals = table->virtuals;
        int r = make_room(&virtuals, table->n_virtuals, sizeof(*table->virtuals));

        if (r < 0)
                return r;
        table->virtuals = virtuals;
        table->virtuals[table->n_virtuals] = *virtual;
        table->virtuals[table->n_virtuals++].n_reals = 0;
        return 0;
}

int ipvs_table_add_real(struct ipvs_table *table, size_t index, const struct ipvs_real *real)
{
        void *reals = table->reals;
        int r = make_room(&reals, table->n_reals, sizeof(*table->reals));

        if (r < 0)
                return r;
        table->reals = reals;
        table->reals[table->n_reals] = *real;
        table->reals[table->n_reals++].position = (uint32_t)table->virtuals[index].n_reals++;
        return 0;
}

void ipvs_table_sort(struct ipvs_table *table)
{
        struct ipvs_real *reals = table->reals;

        for (size_t i = 0; i < table->n_virtuals; i++) {
                struct ipvs_virtual *virtual = &table->virtuals[i];

                virtual->reals = reals;
                if (!virtual->n_reals)
                        continue;
                reals += virtual->n_reals;
                qsort(virtual->reals, virtual->n_reals, sizeof(*reals), ipvs_real_compare);
        }
        if (table->n_virtuals)
                qsort(table->virtuals, table->n_virtuals, sizeof(*table->virtuals), ipvs_virtual_compare);
}

/* One line into the table; `mine` tells whether real servers that follow belong to a service of the table. */
static int parse_line(char *line, struct ipvs_table *table, bool *mine)
{
        char *fields[LINE_FIELDS];
        size_t count = split(line, fields);
        struct ipvs_virtual virtual;
        struct ipvs_real real;

        if (!count)
                return 0;
        if (strcmp(fields[0], "FWM") == 0) {
                *mine = false;
                return 0;
        }
        if (strcmp(fields[0], "->") != 0) {
                *mine = true;
                return parse_virtual(fields, count, &virtual) < 0 ? -EINVAL
                                                                  : ipvs_table_add_virtual(table, &virtual);
        }
        if (!*mine)
                return 0;
        if (!table->n_virtuals || parse_real(fields, count, &real) < 0)
                return -EINVAL;
        return ipvs_table_add_real(table, table->n_virtuals - 1, &real);
}

/* The three header lines: version, and the columns of services and servers. */
static const char *skip_header(const char *text)
{
        for (int i = 0; i < 3 && text; i++) {
                text = strchr(text, '\n');
                text = text ? text + 1 : NULL;
        }
        return text;
}

int ipvs_table_parse(const char *text, struct ipvs_table *out, struct error *error)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        _cleanup_free_ char *copy = NULL;
        size_t number = 3;
        char *save = NULL;
        bool mine = false;
        int r;

        if (strncmp(text, "IP Virtual Server", 17) != 0)
                return error_set(error, "/proc/net/ip_vs", "this is not an IPVS table");
        text = skip_header(text);
        copy = strdup(text ? text : "");
        if (!copy)
                return error_oom(error);
        for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                number++;
                r = parse_line(line, &table, &mine);
                if (r == -ENOMEM)
                        return error_oom(error);
                if (r < 0)
                        return error_set_line(error, "/proc/net/ip_vs", number, "cannot be understood");
        }
        ipvs_table_sort(&table);
        *out = table;
        table = (struct ipvs_table){0};
        return 0;
}

void ipvs_table_clear(struct ipvs_table *table)
{
        free(table->virtuals);
        free(table->reals);
        *table = (struct ipvs_table){0};
}

int ipvs_virtual_compare_key(const struct ipvs_virtual *virtual, const struct virtual_server *key)
{
        struct virtual_server other = {
            .vip = virtual->vip, .protocol = virtual->protocol, .port = virtual->port};

        return virtual_server_compare(&other, key);
}

const struct ipvs_virtual *ipvs_table_find(const struct ipvs_table *table, const struct virtual_server *key)
{
        size_t low = 0, high = table->n_virtuals;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = ipvs_virtual_compare_key(&table->virtuals[middle], key);

                if (order == 0)
                        return &table->virtuals[middle];
                if (order > 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}

size_t ipvs_virtual_misplaced(const struct ipvs_virtual *virtual)
{
        size_t placed = virtual->n_reals ? 1 : 0;

        if (strcmp(virtual->scheduler, "mh") != 0)
                return 0;
        while (placed < virtual->n_reals &&
               virtual->reals[placed].position < virtual->reals[placed - 1].position)
                placed++;
        return virtual->n_reals - placed;
}

const char *ipvs_operation_name(enum ipvs_operation operation)
{
        static const char *const names[] = {
            [IPVS_OPERATION_READ] = "read",
            [IPVS_OPERATION_ADD] = "add",
            [IPVS_OPERATION_CHANGE] = "change",
            [IPVS_OPERATION_REMOVE] = "remove",
        };

        return names[operation];
}
