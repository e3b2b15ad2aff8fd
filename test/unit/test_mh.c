#include "core/mh.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N 10

static void make(struct mh_server *servers, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                char text[ADDR_TEXT_SIZE];

                (void)snprintf(text, sizeof(text), "172.16.1.%zu", i + 1);
                servers[i] = (struct mh_server){.port = 80, .share = 1};
                assert_int_equal(addr_parse(text, &servers[i].addr), 0);
        }
}

static size_t slots_of(const struct mh_table *table, uint16_t server)
{
        size_t count = 0;

        for (size_t i = 0; i < MH_SLOTS; i++)
                count += table->slots[i] == server;
        return count;
}

static void every_slot_is_somebodys_and_shares_are_even(void **state)
{
        struct mh_server servers[N];
        struct mh_table table;

        (void)state;
        make(servers, N);
        assert_int_equal(mh_table_build(servers, N, &table), 0);
        for (uint16_t i = 0; i < N; i++)
                assert_in_range(slots_of(&table, i), MH_SLOTS / N, MH_SLOTS / N + 1);
        assert_int_equal(slots_of(&table, MH_NONE), 0);
}

static void shares_are_in_proportion(void **state)
{
        struct mh_server servers[2];
        struct mh_table table;

        (void)state;
        make(servers, 2);
        servers[1].share = 3;
        assert_int_equal(mh_table_build(servers, 2, &table), 0);
        assert_in_range(slots_of(&table, 1), 3 * MH_SLOTS / 4 - 3, 3 * MH_SLOTS / 4 + 3);
}

static void without_servers_nobody_is_chosen(void **state)
{
        struct mh_server servers[1];
        struct mh_table table;

        (void)state;
        make(servers, 1);
        assert_int_equal(mh_table_build(servers, 0, &table), 0);
        assert_int_equal(mh_table_choose(&table, servers, &servers[0].addr, 1), MH_NONE);
        servers[0].share = 0;
        assert_int_equal(mh_table_build(servers, 1, &table), 0);
        assert_int_equal(mh_table_choose(&table, servers, &servers[0].addr, 1), MH_NONE);
}

static void unavailable_server_loses_its_own_clients_only(void **state)
{
        struct mh_server servers[N];
        struct addr client;
        struct mh_table table;

        (void)state;
        make(servers, N);
        assert_int_equal(addr_parse("fd00::1", &client), 0);
        assert_int_equal(mh_table_build(servers, N, &table), 0);
        for (uint16_t port = 1; port < 2000; port++) {
                uint16_t before, after;

                servers[3].unavailable = false;
                before = mh_table_choose(&table, servers, &client, port);
                servers[3].unavailable = true;
                after = mh_table_choose(&table, servers, &client, port);
                assert_int_not_equal(after, 3);
                if (before != 3)
                        assert_int_equal(after, before);
        }
}

static void more_servers_than_slots_are_refused(void **state)
{
        struct mh_server *servers = calloc(MH_SLOTS + 1, sizeof(*servers));
        struct mh_table table;

        (void)state;
        assert_non_null(servers);
        assert_int_equal(mh_table_build(servers, MH_SLOTS + 1, &table), -EINVAL);
        free(servers);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_slot_is_somebodys_and_shares_are_even),
            cmocka_unit_test(shares_are_in_proportion),
            cmocka_unit_test(without_servers_nobody_is_chosen),
            cmocka_unit_test(unavailable_server_loses_its_own_clients_only),
            cmocka_unit_test(more_servers_than_slots_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
