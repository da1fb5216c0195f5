/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of rakis.yaml. docs/manifest.md says what each is for; tests/manifest holds the two
 * against each other. libcyaml takes any word for a true boolean, so yes and no are names here.
 */
#include "boundary/policy.h"
#include "boundary/boot.h"
#include "host/manifest/manifest.h"
#include "host/manifest/schema.h"

#define PATH_LONGEST	4095
#define TEXT_LONGEST	(128 << 10)	/* of one argument, as in Linux */
#define STRINGS_MOST	4096
#define ANSWERS		4

static const cyaml_strval_t answers[ANSWERS] = {
	{ "false", NO }, { "true", YES }, { "no", NO }, { "yes", YES },
};

static const cyaml_strval_t kinds[RAKIS_MOUNT_KINDS] = {
	{ "host", RAKIS_MOUNT_HOST }, { "encrypted", RAKIS_MOUNT_ENCRYPTED },
	{ "tmpfs", RAKIS_MOUNT_TMPFS },
};

#define NEEDED	CYAML_FLAG_POINTER
#define LEFT	(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define ANSWER(key, type, member) \
	CYAML_FIELD_ENUM(key, CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, type, member, answers, ANSWERS)
#define STRING(key, flags, type, member) \
	CYAML_FIELD_STRING_PTR(key, flags, type, member, 1, PATH_LONGEST)

static const cyaml_schema_value_t text = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, TEXT_LONGEST),
};

static const cyaml_schema_field_t mount_fields[] = {
	STRING("path", NEEDED, struct manifest_mount, path),
	CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT, struct manifest_mount, kind, kinds, RAKIS_MOUNT_KINDS),
	STRING("host", LEFT, struct manifest_mount, host),
	STRING("key", LEFT, struct manifest_mount, key),
	ANSWER("read_only", struct manifest_mount, read_only),
	CYAML_FIELD_END
};

static const cyaml_schema_value_t mount = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct manifest_mount, mount_fields),
};

static const cyaml_schema_field_t file_fields[] = {
	STRING("path", NEEDED, struct manifest_file, path),
	STRING("host", LEFT, struct manifest_file, host),
	STRING("sha256", LEFT, struct manifest_file, sha256),
	ANSWER("recursive", struct manifest_file, recursive),
	CYAML_FIELD_END
};

static const cyaml_schema_value_t file = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct manifest_file, file_fields),
};

static const cyaml_schema_field_t top_fields[] = {
	CYAML_FIELD_UINT("version", CYAML_FLAG_DEFAULT, struct manifest, version),
	STRING("program", NEEDED, struct manifest, program),
	CYAML_FIELD_SEQUENCE("arguments", LEFT, struct manifest, arguments, &text, 0, STRINGS_MOST),
	ANSWER("more_arguments", struct manifest, more_arguments),
	CYAML_FIELD_SEQUENCE("environment", LEFT, struct manifest, environment, &text, 0, STRINGS_MOST),
	STRING("directory", LEFT, struct manifest, directory),
	STRING("root", LEFT, struct manifest, root),
	ANSWER("network", struct manifest, network),
	STRING("memory", LEFT, struct manifest, memory),
	CYAML_FIELD_UINT("threads", CYAML_FLAG_OPTIONAL, struct manifest, threads),
	CYAML_FIELD_SEQUENCE("mounts", LEFT, struct manifest, mounts, &mount, 0, RAKIS_MANIFEST_MOUNTS),
	CYAML_FIELD_SEQUENCE("trusted", LEFT, struct manifest, trusted, &file, 0, MANIFEST_FILES_MOST),
	ANSWER("host_root", struct manifest, host_root),
	CYAML_FIELD_END
};

const cyaml_schema_value_t manifest_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct manifest, top_fields),
};
