# Many documents in one question: decoding a batch once is much cheaper than asking for each.
package homeward_batch

# METADATA
# title: The decision on each document, by its place
# custom:
#   source: traps.md, OPA
decisions := {i: decision |
	some i, document in input
	decision := data.homeward.sharing.decision with input as document
}
