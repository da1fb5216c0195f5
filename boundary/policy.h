/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest as the enclave knows it: flat, and without anything to parse. In an enclave it
 * is measured and lies where struct rakis_policy (boundary/sgx.h) says; in direct mode it comes
 * with the boot data. Either way the enclave checks all of it once, before it uses any.
 *
 * Sections follow the fixed part in any order, each 8-byte aligned. A string is named by its
 * offset in the section of strings, where it ends with a NUL; offset 0 is the empty string.
 * Paths of the guest are absolute and normal: no `.`, `..`, `//`, nor a slash at the end.
 */
#ifndef RAKIS_BOUNDARY_POLICY_H
#define RAKIS_BOUNDARY_POLICY_H

#include <stdint.h>

#define RAKIS_MANIFEST_MAGIC	0x74736566696e616dull	/* "manifest" */
#define RAKIS_MANIFEST_VERSION	1
#define RAKIS_MANIFEST_MOST	(64u << 20)		/* bytes in all */
#define RAKIS_MANIFEST_MOUNTS	8
#define RAKIS_FILE_KEY		32u			/* bytes of the key of encrypted mounts */

struct rakis_section {
	uint32_t offset;	/* from the manifest's start, bytes */
	uint32_t count;		/* of entries; of strings: bytes */
};

struct rakis_manifest {
	uint64_t magic;
	uint32_t version;
	uint32_t size;		/* bytes in all */
	uint32_t flags;		/* RAKIS_MANIFEST_* */
	uint32_t program;	/* string: path of the guest; "": the host says */
	uint32_t directory;	/* string: the working directory; "": the host says */
	uint32_t reserved;	/* 0 */
	struct rakis_section strings;
	struct rakis_section mounts;		/* struct rakis_mount */
	struct rakis_section files;		/* struct rakis_trusted, sorted by path as bytes */
	struct rakis_section arguments;		/* uint32_t: strings, argv[0] first */
	struct rakis_section environment;	/* uint32_t: strings, sorted as bytes: NAME=VALUE is
						   set, NAME is passed from the host if that has it */
};

#define RAKIS_MANIFEST_ARGUMENTS   1u	/* more arguments, behind these, may come from the host */
#define RAKIS_MANIFEST_ENVIRONMENT 2u	/* so may all of the environment */
#define RAKIS_MANIFEST_NETWORK	   4u	/* sockets other than AF_UNIX pairs may be made */
#define RAKIS_MANIFEST_HOST_ROOT   8u	/* what no mount has is the host's, as without a manifest;
					   otherwise it is the tree of trusted files */

enum rakis_mount_kind {
	RAKIS_MOUNT_HOST,	/* the host's directory or file, believed as it is */
	RAKIS_MOUNT_ENCRYPTED,	/* docs/files.md; `host` is a directory for nothing else */
	RAKIS_MOUNT_TMPFS,	/* in the enclave's memory, empty at start */
	RAKIS_MOUNT_KINDS
};

#define RAKIS_MOUNT_READONLY	1u

struct rakis_mount {
	uint32_t guest;		/* string: where */
	uint32_t host;		/* string: the host's path, absolute; TMPFS: "" */
	uint32_t kind;		/* enum rakis_mount_kind */
	uint32_t flags;		/* RAKIS_MOUNT_* */
	uint32_t key;		/* string, ENCRYPTED: tells mounts with the same master key apart */
	uint32_t reserved;	/* 0 */
};

/* Content of a trusted file is checked in chunks of so many bytes; the last one may be shorter. */
#define RAKIS_TRUSTED_CHUNK	16384u
#define RAKIS_TRUSTED_MOST	(1ull << 36)	/* bytes of a file */
#define RAKIS_PATCHES_MOST	(1u << 20)

/*
 * A trusted file or symbolic link. Directories are there because something is in them. What a
 * file must hold is in its table, in the tables file, which need not be trusted: the SHA-256 of
 * each chunk, then struct rakis_patch[patches] (boundary/request.h). Whether the table is the
 * right one, its digest tells.
 */
struct rakis_trusted {
	uint32_t path;		/* string: of the guest */
	uint32_t host;		/* string: where the host has it, absolute; a link: what it says */
	uint32_t mode;		/* S_IFREG or S_IFLNK, and permissions */
	uint32_t patches;
	uint64_t size;		/* bytes; a link: 0 */
	uint64_t table;		/* offset in the tables file */
	uint8_t digest[32];	/* SHA-256 of the table; a link: zeros */
};

_Static_assert(sizeof(struct rakis_manifest) == 72, "struct rakis_manifest");
_Static_assert(sizeof(struct rakis_mount) == 24, "struct rakis_mount");
_Static_assert(sizeof(struct rakis_trusted) == 64, "struct rakis_trusted");

#endif
