#include "core/tunnel_echo.h"

#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Made by another program (struct.pack and a checksum of its own), from the addresses and the cookie below.
 */
static const char request4[] = "4500003400004000400182a6ac10010b0a01010708007c3e7788000088776655443322"
                               "11ac100317000000000000000000000000";
static const char reply4[] = "4500003400004000400182a60a010107ac10010b0000843e7788000088776655443322"
                             "11ac100317000000000000000000000000";
static const char request6[] = "6000000000203a40fd000016000100000000000000000011fd00000100010000000000"
                               "00000000078000bb9b778800008877665544332211fd0000160003000000000000000000"
                               "23";
static const char reply6[] = "6000000000203a40fd000001000100000000000000000007fd00001600010000000000"
                             "00000000118100ba9b778800008877665544332211fd0000160003000000000000000000"
                             "23";

static struct addr addr_of(const char *text)
{
        struct addr addr;

        assert_int_equal(addr_parse(text, &addr), 0);
        return addr;
}

static struct tunnel_echo echo_of(bool ipv6)
{
        return (struct tunnel_echo){
            .pod = addr_of(ipv6 ? "fd00:16:1::11" : "172.16.1.11"),
            .vip = addr_of(ipv6 ? "fd00:1:1::7" : "10.1.1.7"),
            .real_server = addr_of(ipv6 ? "fd00:16:3::23" : "172.16.3.23"),
            .cookie = UINT64_C(0x1122334455667788),
        };
}

static size_t bytes_of(const char *hex, uint8_t *out)
{
        size_t length = strlen(hex) / 2;

        for (size_t i = 0; i < length; i++) {
                const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};

                out[i] = (uint8_t)strtoul(digits, NULL, 16);
        }
        return length;
}

static int parse(const uint8_t *packet, size_t length, struct tunnel_echo *out)
{
        /* Exactly as long, so that the sanitizer sees a byte too far. */
        uint8_t *copy = malloc(length ? length : 1);
        int r;

        assert_non_null(copy);
        memcpy(copy, packet, length);
        r = tunnel_echo_parse_reply(copy, length, out);
        free(copy);
        return r;
}

static void expect_refused(const uint8_t *packet, size_t length)
{
        struct tunnel_echo echo = {.cookie = 1};

        assert_int_equal(parse(packet, length, &echo), -EINVAL);
        assert_int_equal(echo.cookie, 1);
}

static void expect_request(bool ipv6, const char *hex)
{
        const struct tunnel_echo echo = echo_of(ipv6);
        uint8_t expected[TUNNEL_ECHO_SIZE], packet[TUNNEL_ECHO_SIZE];
        size_t length = bytes_of(hex, expected);

        assert_int_equal(tunnel_echo_request(&echo, packet), length);
        assert_memory_equal(packet, expected, length);
}

static void request_is_an_echo_from_the_pod_to_the_vip(void **state)
{
        (void)state;
        expect_request(false, request4);
        expect_request(true, request6);
}

static void expect_reply(bool ipv6, const char *hex)
{
        const struct tunnel_echo asked = echo_of(ipv6);
        struct tunnel_echo echo = {0};
        uint8_t packet[TUNNEL_ECHO_SIZE + 1] = {0};
        size_t length = bytes_of(hex, packet);

        for (size_t extra = 0; extra < 2; extra++) { /* a link may pad its frames */
                assert_int_equal(parse(packet, length + extra, &echo), 0);
                assert_true(addr_equal(&echo.pod, &asked.pod));
                assert_true(addr_equal(&echo.vip, &asked.vip));
                assert_true(addr_equal(&echo.real_server, &asked.real_server));
                assert_int_equal(echo.cookie, asked.cookie);
        }
}

static void reply_tells_who_was_asked_for_which_vip(void **state)
{
        (void)state;
        expect_reply(false, reply4);
        expect_reply(true, reply6);
}

static void reply_behind_ip_options_is_read(void **state)
{
        uint8_t plain[TUNNEL_ECHO_SIZE], packet[TUNNEL_ECHO_SIZE] = {0};
        size_t length = bytes_of(reply4, plain);
        struct tunnel_echo echo;

        (void)state;
        memcpy(packet, plain, 20);
        memcpy(packet + 24, plain + 20, length - 20);
        packet[0] = 0x46;
        packet[3] += 4;
        assert_int_equal(parse(packet, length + 4, &echo), 0);
        assert_int_equal(echo.cookie, UINT64_C(0x1122334455667788));
        expect_refused(packet, length + 3);
}

static void request_is_no_reply(void **state)
{
        uint8_t packet[TUNNEL_ECHO_SIZE];

        (void)state;
        expect_refused(packet, bytes_of(request4, packet));
        expect_refused(packet, bytes_of(request6, packet));
}

static void reply_that_was_cut_short_is_refused(void **state)
{
        uint8_t packet[TUNNEL_ECHO_SIZE];

        (void)state;
        for (size_t length = bytes_of(reply4, packet); length-- > 0;)
                expect_refused(packet, length);
        for (size_t length = bytes_of(reply6, packet); length-- > 0;)
                expect_refused(packet, length);
}

/* `message`: where ICMP begins. */
static void expect_every_byte_counts(const char *hex, size_t message)
{
        uint8_t packet[TUNNEL_ECHO_SIZE];
        size_t length = bytes_of(hex, packet);

        for (size_t i = message; i < length; i++) {
                packet[i] ^= 0x40;
                expect_refused(packet, length);
                packet[i] ^= 0x40;
        }
}

static void reply_with_a_wrong_checksum_is_refused(void **state)
{
        (void)state;
        expect_every_byte_counts(reply4, 20);
        expect_every_byte_counts(reply6, 40);
}

/* One byte of the header is another one. */
static void expect_header_refused(const char *hex, size_t at, uint8_t value)
{
        uint8_t packet[TUNNEL_ECHO_SIZE];
        size_t length = bytes_of(hex, packet);

        packet[at] = value;
        expect_refused(packet, length);
}

static void what_is_no_whole_message_of_icmp_is_refused(void **state)
{
        (void)state;
        expect_header_refused(reply4, 0, 0x44);  /* a header of 16 bytes */
        expect_header_refused(reply4, 0, 0x4f);  /* one of 60 */
        expect_header_refused(reply4, 0, 0x55);  /* no version of IP */
        expect_header_refused(reply4, 3, 0x35);  /* longer */
        expect_header_refused(reply4, 6, 0x20);  /* the first fragment of more */
        expect_header_refused(reply4, 7, 0x01);  /* not the first fragment */
        expect_header_refused(reply4, 9, 6);     /* TCP */
        expect_header_refused(reply6, 5, 0x21);  /* longer */
        expect_header_refused(reply6, 6, 0x2c);  /* a fragment */
        expect_header_refused(reply6, 0, 0x40);  /* IPv4 without a header */
        expect_header_refused(reply6, 23, 0x08); /* another VIP: not in the checksum of ICMPv6 */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(request_is_an_echo_from_the_pod_to_the_vip),
            cmocka_unit_test(reply_tells_who_was_asked_for_which_vip),
            cmocka_unit_test(reply_behind_ip_options_is_read),
            cmocka_unit_test(request_is_no_reply),
            cmocka_unit_test(reply_that_was_cut_short_is_refused),
            cmocka_unit_test(reply_with_a_wrong_checksum_is_refused),
            cmocka_unit_test(what_is_no_whole_message_of_icmp_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
