# What every target of the project is compiled with. Nothing global: targets link coracle_options.
option(CORACLE_SANITIZE "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(CORACLE_FUZZ "build the libFuzzer targets (needs clang)" OFF)
option(CORACLE_COVERAGE "instrument for gcov" OFF)
option(CORACLE_WERROR "warnings are errors" OFF)

add_library(coracle_options INTERFACE)
target_compile_features(coracle_options INTERFACE c_std_11)
target_compile_definitions(coracle_options INTERFACE _GNU_SOURCE CORACLE_VERSION="${PROJECT_VERSION}")
target_compile_options(coracle_options INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wformat=2 -Wundef -fno-common -fstack-protector-strong)
target_include_directories(coracle_options INTERFACE ${PROJECT_SOURCE_DIR}/controller)

if(CORACLE_WERROR)
    target_compile_options(coracle_options INTERFACE -Werror)
endif()
if(CORACLE_SANITIZE)
    target_compile_options(coracle_options INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(coracle_options INTERFACE -fsanitize=address,undefined)
endif()
if(CORACLE_FUZZ)
    # Neither how deep the stack is (its alignment differs from process to process) nor what addresses decide may guide the
    # fuzzer: with the same seed it is to try the same inputs.
    target_compile_options(coracle_options INTERFACE -fsanitize=fuzzer-no-link
        -fno-sanitize-coverage=stack-depth -fsanitize-coverage-ignorelist=${PROJECT_SOURCE_DIR}/test/fuzz/not-by-address.txt)
endif()
if(CORACLE_COVERAGE)
    target_compile_options(coracle_options INTERFACE --coverage)
    target_link_options(coracle_options INTERFACE --coverage)
endif()
