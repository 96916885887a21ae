/* What the tests of named objects share. */
#ifndef JOBRING_TESTS_C_OBJECTS_H
#define JOBRING_TESTS_C_OBJECTS_H

#include "check.h"

jobring_objects* open_objects(struct place* place);
/* `number`: permits, parties or capacity. */
jobring_object* open_object(jobring_objects* objects, int32_t kind, const char* name,
                            int64_t number);
/* Whether an answer's bytes are these; gives them back. */
int took(jobring_answer* answer, const char* text);

#endif
