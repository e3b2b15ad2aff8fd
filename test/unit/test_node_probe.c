#include "announcer/node_probe.h"

#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS 250

static int open_probe(void **state)
{
        static struct node_probe probe;
        struct addr pod;

        probe = (struct node_probe)NODE_PROBE_NONE; /* another cookie each time */
        assert_int_equal(addr_parse("127.0.0.1", &pod), 0);
        assert_int_equal(node_probe_open(&probe, &pod), 0);
        assert_int_equal(node_probe_open_sender(&probe), 0);
        *state = &probe;
        return 0;
}

static int close_probe(void **state)
{
        node_probe_close(*state);
        return 0;
}

/* The link is lost: no datagram comes through any more. */
static void lose_link(struct node_probe *probe)
{
        (void)close(probe->sender);
        probe->sender = dup(STDIN_FILENO);
}

static void pod_is_lost_a_second_after_its_last_datagram(void **state)
{
        struct node_probe *probe = *state;
        int64_t now = 0;

        for (; now < 3000; now += LOOK_MS)
                assert_true(node_probe_reaches(probe, now));
        lose_link(probe);
        assert_true(node_probe_reaches(probe, now)); /* the last one */
        assert_true(node_probe_reaches(probe, now + NODE_PROBE_LOST_MS - 1));
        assert_false(node_probe_reaches(probe, now + NODE_PROBE_LOST_MS));
}

static void pod_that_was_never_reached_is_not_lost(void **state)
{
        struct node_probe *probe = *state;

        lose_link(probe);
        assert_true(node_probe_reaches(probe, 0));
        assert_true(node_probe_reaches(probe, 60000));
}

static void send_other(const struct node_probe *probe, int fd, const void *data, size_t length)
{
        assert_int_equal(
            sendto(fd, data, length, 0, (const struct sockaddr *)&probe->address, probe->address_length),
            length);
}

/* Neither keeps it a pod alive that is lost, nor costs it one that lives. */
static void what_others_send_counts_for_nothing(void **state)
{
        struct node_probe *probe = *state;
        const uint64_t longer[] = {probe->cookie, probe->cookie}, other = ~probe->cookie;
        const uint32_t shorter = (uint32_t)probe->cookie;
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int64_t now = 0;

        for (; now < 3000 + NODE_PROBE_LOST_MS; now += LOOK_MS) {
                if (now == 3000)
                        lose_link(probe);
                for (int i = 0; i < 1000; i++)
                        send_other(probe, fd, &other, sizeof(other));
                send_other(probe, fd, longer, sizeof(longer));
                send_other(probe, fd, &shorter, sizeof(shorter));
                assert_true(node_probe_reaches(probe, now));
        }
        assert_false(node_probe_reaches(probe, now));
        (void)close(fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(pod_is_lost_a_second_after_its_last_datagram, open_probe,
                                            close_probe),
            cmocka_unit_test_setup_teardown(pod_that_was_never_reached_is_not_lost, open_probe, close_probe),
            cmocka_unit_test_setup_teardown(what_others_send_counts_for_nothing, open_probe, close_probe),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
