# Who may ask this server what: anybody for its health, the holder of the token for one document.
package system.authz

# METADATA
# title: Everything else is refused, uploads of policies first of all
# scope: document
# custom:
#   source: design.md 6; traps.md, OPA
default allow := false

allow if {
	input.method == "GET"
	input.path == ["health"]
}

allow if {
	input.method == "POST"
	input.path == ["v1", "data", "homeward", "sharing", "decision"]
	object.keys(input.params) - {"provenance", "strict-builtin-errors", "metrics"} == set()
	is_string(input.identity)

	# the hash, so that the token itself is nowhere in the engine
	some known in data.homeward_caller.tokens_sha256
	crypto.sha256(input.identity) == known
}
