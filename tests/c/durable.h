/* What the tests of durable jobs share. */
#ifndef JOBRING_TESTS_C_DURABLE_H
#define JOBRING_TESTS_C_DURABLE_H

#include "check.h"

/* A private daemon that keeps durable jobs in the place's directory. */
void open_keeper_place(struct place* place, int workers);
jobring_durable* open_durable(struct place* place);
/* Waits for the job's end; its state. */
int32_t state_of(jobring_durable* durable, uint64_t id);

#endif
