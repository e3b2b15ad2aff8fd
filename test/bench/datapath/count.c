/* A plugin of qemu's: which function executed how many of the instructions that the load measures.
 *
 *     -plugin count.so,out=FILE
 *
 * Between the load's two marks each block of code that was executed is counted, by its address. The file gets
 * a line for each block: which measurement (from 0), address, instructions. All blocks of user space are one,
 * at 0. Debian has no header for plugins; what is used here is version 1 of qemu's docs/devel/tcg-plugins. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
                                           void (*on_tb)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int add, void *sum, uint64_t n);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            void (*on_exec)(unsigned cpu, void *data), int flags, void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

#define KERNEL 0x8000000000000000u
#define MARK_BYTES 7

static const uint8_t mark_begin[MARK_BYTES] = {0x0f, 0x1f, 0x80, 0x01, 0xc0, 0xac, 0x1e};
static const uint8_t mark_end[MARK_BYTES] = {0x0f, 0x1f, 0x80, 0x02, 0xc0, 0xac, 0x1e};

struct block {
        struct block *next;
        uint64_t address, executed, before;
};

static struct block *blocks, user;
static FILE *out;
static unsigned measurement;

static void begin(unsigned cpu, void *data)
{
        (void)cpu, (void)data;
        for (struct block *block = blocks; block; block = block->next)
                block->before = block->executed;
}

static void end(unsigned cpu, void *data)
{
        (void)cpu, (void)data;
        for (struct block *block = blocks; block; block = block->next)
                if (block->executed > block->before)
                        fprintf(out, "%u %lx %lu\n", measurement, block->address,
                                block->executed - block->before);
        fflush(out);
        measurement++;
}

static void on_block(uint64_t id, struct qemu_plugin_tb *tb)
{
        size_t n = qemu_plugin_tb_n_insns(tb);
        struct block *block = &user;

        (void)id;
        if (qemu_plugin_tb_vaddr(tb) >= KERNEL) {
                block = calloc(1, sizeof(*block));
                if (!block)
                        abort();
                block->address = qemu_plugin_tb_vaddr(tb);
                block->next = blocks;
                blocks = block;
        }
        qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &block->executed, n);
        for (size_t i = 0; block == &user && i < n; i++) {
                struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

                if (qemu_plugin_insn_size(insn) != MARK_BYTES)
                        continue;
                if (memcmp(qemu_plugin_insn_data(insn), mark_begin, MARK_BYTES) == 0)
                        qemu_plugin_register_vcpu_insn_exec_cb(insn, begin, 0, NULL);
                else if (memcmp(qemu_plugin_insn_data(insn), mark_end, MARK_BYTES) == 0)
                        qemu_plugin_register_vcpu_insn_exec_cb(insn, end, 0, NULL);
        }
}

__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t id, const void *info, int argc,
                                                               char **argv);

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
        (void)info;
        if (argc != 1 || strncmp(argv[0], "out=", 4) != 0 || !(out = fopen(argv[0] + 4, "w")))
                return -1;
        blocks = &user;
        qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
        return 0;
}
