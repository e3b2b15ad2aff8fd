#include "base/strbuf.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static void empty_text_is_null_until_something_is_appended(void **state)
{
        struct strbuf buf = {0};

        (void)state;
        assert_null(buf.text);
        strbuf_reset(&buf);
        strbuf_consume(&buf, 3);
        assert_null(buf.text);
        assert_int_equal(strbuf_puts(&buf, ""), 0);
        assert_string_equal(buf.text, "");
        strbuf_clear(&buf);
        assert_null(buf.text);
        strbuf_clear(&buf);
}

static void what_is_appended_stays_in_order(void **state)
{
        _cleanup_strbuf_ struct strbuf buf = {0};

        (void)state;
        assert_int_equal(strbuf_append(&buf, "a\0b", 3), 0);
        assert_int_equal(strbuf_printf(&buf, "%d-%s", 7, "x"), 0);
        assert_int_equal(buf.length, 6);
        assert_memory_equal(buf.text, "a\0b7-x", 7);
}

static void long_texts_grow_by_doubling(void **state)
{
        _cleanup_strbuf_ struct strbuf buf = {0};
        size_t moves = 0, capacity = 0;

        (void)state;
        for (int i = 0; i < 100000; i++) {
                assert_int_equal(strbuf_puts(&buf, "0123456789"), 0);
                moves += buf.capacity != capacity;
                capacity = buf.capacity;
        }
        assert_int_equal(buf.length, 1000000);
        assert_int_equal(strlen(buf.text), 1000000);
        assert_true(moves < 20);
}

static void impossible_length_is_refused_and_the_text_stays(void **state)
{
        _cleanup_strbuf_ struct strbuf buf = {0};

        (void)state;
        assert_int_equal(strbuf_puts(&buf, "x"), 0);
        assert_int_equal(strbuf_append(&buf, "y", SIZE_MAX - 1), -ENOMEM);
        assert_string_equal(buf.text, "x");
}

static void consumed_bytes_leave_the_front(void **state)
{
        _cleanup_strbuf_ struct strbuf buf = {0};

        (void)state;
        assert_int_equal(strbuf_puts(&buf, "abcdef"), 0);
        strbuf_consume(&buf, 2);
        assert_string_equal(buf.text, "cdef");
        strbuf_consume(&buf, 99);
        assert_string_equal(buf.text, "");
        assert_int_equal(buf.length, 0);
}

static void reset_keeps_the_memory(void **state)
{
        _cleanup_strbuf_ struct strbuf buf = {0};
        size_t capacity;

        (void)state;
        assert_int_equal(strbuf_puts(&buf, "abc"), 0);
        capacity = buf.capacity;
        strbuf_reset(&buf);
        assert_string_equal(buf.text, "");
        assert_int_equal(buf.capacity, capacity);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(empty_text_is_null_until_something_is_appended),
            cmocka_unit_test(what_is_appended_stays_in_order),
            cmocka_unit_test(long_texts_grow_by_doubling),
            cmocka_unit_test(impossible_length_is_refused_and_the_text_stays),
            cmocka_unit_test(consumed_bytes_leave_the_front),
            cmocka_unit_test(reset_keeps_the_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
