#include "core/event.h"

#include "unit.h"

#include <string.h>

static const struct problem in_use = {(char *)"shop/web", "AddressInUse",
                                      (char *)"10.1.1.5 belongs to shop/api"};

static const char *text_of(const json_t *json, const char *outer, const char *inner)
{
        const json_t *object = inner ? json_object_get(json, outer) : json;

        return json_string_value(json_object_get(object, inner ? inner : outer));
}

static void event_names_the_service_and_what_is_wrong(void **state)
{
        struct service service = {.object = {.namespace = (char *)"shop", .name = (char *)"web"},
                                  .uid = (char *)"ea33c85d"};
        _cleanup_json_ json_t *event = event_create(&in_use, &service, "lb-1", "2026-11-23T00:00:00.000000Z");

        (void)state;
        assert_string_equal(text_of(event, "reason", NULL), "AddressInUse");
        assert_string_equal(text_of(event, "note", NULL), "10.1.1.5 belongs to shop/api");
        assert_string_equal(text_of(event, "type", NULL), "Warning");
        assert_string_equal(text_of(event, "reportingInstance", NULL), "lb-1");
        assert_string_equal(text_of(event, "metadata", "namespace"), "shop");
        assert_string_equal(text_of(event, "regarding", "name"), "web");
        assert_string_equal(text_of(event, "regarding", "uid"), "ea33c85d");
}

static void service_without_uid_is_referred_to_by_name(void **state)
{
        struct service service = {.object = {.namespace = (char *)"shop", .name = (char *)"web"}};
        _cleanup_json_ json_t *event = event_create(&in_use, &service, "lb-1", "2026-11-23T00:00:00.000000Z");

        (void)state;
        assert_non_null(event);
        assert_null(text_of(event, "regarding", "uid"));
}

static void long_note_is_cut_to_what_the_api_takes(void **state)
{
        struct service service = {.object = {.namespace = (char *)"shop", .name = (char *)"web"}};
        char message[4000];
        struct problem problem = {(char *)"shop/web", "TemplateFailed", message};
        _cleanup_json_ json_t *event = NULL;

        (void)state;
        memset(message, 'x', sizeof(message) - 1);
        message[sizeof(message) - 1] = '\0';
        event = event_create(&problem, &service, "lb-1", "2026-11-23T00:00:00.000000Z");
        assert_true(strlen(text_of(event, "note", NULL)) <= 1024);
}

static void same_problem_has_the_same_name_and_another_has_another(void **state)
{
        struct service service = {.object = {.namespace = (char *)"shop", .name = (char *)"web"},
                                  .uid = (char *)"ea33c85d"};
        struct problem other = in_use;
        char first[EVENT_NAME_SIZE], second[EVENT_NAME_SIZE];

        (void)state;
        event_name(&in_use, &service, first);
        event_name(&in_use, &service, second);
        assert_string_equal(first, second);
        assert_memory_equal(first, "web.", 4);
        other.message = (char *)"10.1.1.5 belongs to shop/db";
        event_name(&other, &service, second);
        assert_string_not_equal(first, second);
}

/* Its Event would refer to the one that is gone, and be shown for neither. */
static void service_that_is_made_anew_has_events_of_its_own(void **state)
{
        struct service service = {.object = {.namespace = (char *)"shop", .name = (char *)"web"},
                                  .uid = (char *)"ea33c85d"};
        char first[EVENT_NAME_SIZE], second[EVENT_NAME_SIZE];

        (void)state;
        event_name(&in_use, &service, first);
        service.uid = (char *)"0b7c11aa";
        event_name(&in_use, &service, second);
        assert_string_not_equal(first, second);
}

static void series_counts(void **state)
{
        _cleanup_json_ json_t *series = event_series(3, "2026-11-23T00:00:00.000000Z");

        (void)state;
        assert_int_equal(json_integer_value(json_object_get(json_object_get(series, "series"), "count")), 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(event_names_the_service_and_what_is_wrong),
            cmocka_unit_test(service_without_uid_is_referred_to_by_name),
            cmocka_unit_test(long_note_is_cut_to_what_the_api_takes),
            cmocka_unit_test(same_problem_has_the_same_name_and_another_has_another),
            cmocka_unit_test(service_that_is_made_anew_has_events_of_its_own),
            cmocka_unit_test(series_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
