/* SPDX-License-Identifier: Apache-2.0 */
/* The commands: each gets its own argv and answers the exit status. */
#ifndef RAKIS_CLI_CLI_H
#define RAKIS_CLI_CLI_H

int cmd_run(int argc, char **argv);
int cmd_net(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_sign(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

#endif
