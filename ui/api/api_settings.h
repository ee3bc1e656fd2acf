// SPDX-License-Identifier: Apache-2.0
//
// A project's settings as JSON, in and out.
#ifndef UI_API_API_SETTINGS_H
#define UI_API_API_SETTINGS_H

#include "store/project_settings.h"
#include "ui/api/api_answer.h"

// The object "settings"; with_rules: the texts of rules too, as read by project_settings_read_rules.
void api_settings_write(struct api_answer *answer, const struct project_settings *settings, bool with_rules);
// {"scrub":{…}} as the configuration has it: what null in the settings stands for.
void api_settings_write_defaults(struct api_answer *answer);
// The members that `object` has: their bits and values, texts in the answer's arena.
enum status api_settings_parse(struct api_answer *answer, struct json_value object, uint32_t *out_members,
                               struct project_settings *out_settings);

#endif
