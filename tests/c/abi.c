/* What compiled programs rely on: numbers and layouts. */
#define JOBRING_OWN_INIT /* only to look at it */
#include <jobring/handler.h>

#include "check.h"

#if UINTPTR_MAX == UINT64_MAX
#define IS_AT(type, member, offset) \
  _Static_assert(offsetof(type, member) == (offset), #type "." #member)
_Static_assert(sizeof(jobring_connect_options) == 48, "jobring_connect_options");
_Static_assert(sizeof(jobring_pong) == 56, "jobring_pong");
_Static_assert(sizeof(jobring_pool_options) == 16, "jobring_pool_options");
_Static_assert(sizeof(jobring_result) == 64, "jobring_result");
_Static_assert(sizeof(jobring_progress) == 112, "jobring_progress");
_Static_assert(sizeof(jobring_command_result) == 248, "jobring_command_result");
_Static_assert(sizeof(jobring_job_options) == 40, "jobring_job_options");
_Static_assert(sizeof(jobring_command) == 96, "jobring_command");
_Static_assert(sizeof(jobring_limit) == 16, "jobring_limit");
_Static_assert(sizeof(jobring_map_options) == 32, "jobring_map_options");
_Static_assert(sizeof(jobring_bytes) == 16, "jobring_bytes");
_Static_assert(sizeof(jobring_completion) == 72, "jobring_completion");
_Static_assert(sizeof(jobring_job_ref) == 16, "jobring_job_ref");
_Static_assert(sizeof(jobring_object_info) == 80, "jobring_object_info");
_Static_assert(sizeof(jobring_object_options) == 40, "jobring_object_options");
_Static_assert(sizeof(jobring_entry) == 48, "jobring_entry");
_Static_assert(sizeof(jobring_answer) == 72, "jobring_answer");
_Static_assert(sizeof(jobring_dict_step) == 40, "jobring_dict_step");
_Static_assert(sizeof(jobring_durable_dependency) == 16, "jobring_durable_dependency");
_Static_assert(sizeof(jobring_durable_options) == 224, "jobring_durable_options");
_Static_assert(sizeof(jobring_durable_answer) == 32, "jobring_durable_answer");
_Static_assert(sizeof(jobring_durable_job) == 32, "jobring_durable_job");
_Static_assert(sizeof(jobring_durable_attempt) == 80, "jobring_durable_attempt");
_Static_assert(sizeof(jobring_durable_info) == 184, "jobring_durable_info");
_Static_assert(sizeof(jobring_durable_filter) == 72, "jobring_durable_filter");
_Static_assert(sizeof(jobring_durable_pool) == 80, "jobring_durable_pool");
_Static_assert(sizeof(jobring_durable_log) == 64, "jobring_durable_log");
_Static_assert(sizeof(jobring_durable_event) == 64, "jobring_durable_event");
_Static_assert(sizeof(jobring_durable_edit) == 32, "jobring_durable_edit");
_Static_assert(sizeof(jobring_durable_group) == 40, "jobring_durable_group");
_Static_assert(sizeof(jobring_durable_cron) == 88, "jobring_durable_cron");
IS_AT(jobring_durable_options, after, 112);
IS_AT(jobring_durable_options, array_step, 208);
IS_AT(jobring_durable_info, options, 64);
IS_AT(jobring_durable_info, waits_for, 176);
IS_AT(jobring_completion, queued_ns, 24);
IS_AT(jobring_completion, error_type, 56);
IS_AT(jobring_answer, token, 16);
IS_AT(jobring_answer, entries, 64);
IS_AT(jobring_object_info, name, 72);
IS_AT(jobring_object_options, lock, 32);
IS_AT(jobring_entry, version, 40);
IS_AT(jobring_result, queued_ns, 24);
IS_AT(jobring_result, bytes, 40);
IS_AT(jobring_job_options, timeout_ns, 8);
IS_AT(jobring_job_options, tag, 32);
IS_AT(jobring_command, argv, 8);
IS_AT(jobring_command, use_stdio, 76);
IS_AT(jobring_command, limits, 80);
IS_AT(jobring_limit, value, 8);
IS_AT(jobring_command_result, stdout_total, 40);
IS_AT(jobring_command_result, start_step, 120);
/* What modules of handlers are compiled with. */
_Static_assert(sizeof(struct jobring_job) == 128, "jobring_job");
_Static_assert(sizeof(struct jobring_registry) == 32, "jobring_registry");
IS_AT(struct jobring_job, host, 64);
IS_AT(struct jobring_job, progress, 120);
IS_AT(struct jobring_registry, declare, 24);
#endif
_Static_assert(JOBRING_MODULE_VERSION == 2, "what stands here is of this version");
_Static_assert(sizeof(jobring_status) == 4, "a status");

void versions(void) {
  CHECK(jobring_abi_version() >> 16 == JOBRING_ABI_MAJOR);
  CHECK((jobring_abi_version() & 0xffff) == JOBRING_ABI_MINOR);
  CHECK_TEXT(jobring_version(), JOBRING_VERSION);
  CHECK_TEXT(jobring_status_name(JOBRING_OK), "JOBRING_OK");
  CHECK_TEXT(jobring_status_name(JOBRING_BAD_INPUT), "JOBRING_BAD_INPUT");
  CHECK_TEXT(jobring_status_name(INT32_MIN), "unknown");
  /* All of them have names of their own. */
  for (int32_t a = JOBRING_SOURCE_FAILED; a <= JOBRING_NONE; ++a) {
    CHECK(strncmp(jobring_status_name(a), "JOBRING_", 8) == 0);
    for (int32_t b = a + 1; b <= JOBRING_NONE; ++b)
      CHECK(strcmp(jobring_status_name(a), jobring_status_name(b)) != 0);
  }
  CHECK_TEXT(jobring_outcome_name(JOBRING_OUTCOME_CRASHED), "crashed");
  CHECK_TEXT(jobring_outcome_name(JOBRING_OUTCOME_BAD_REQUEST), "bad_request");
  CHECK_TEXT(jobring_outcome_name(11), "unknown");
  CHECK_TEXT(jobring_outcome_name(-1), "unknown");
}
