# Consent: what the child agreed to, who can agree, who objects. Agreement is a fact of practice; the
# basis in law is another thing (data_protection.rego).
package homeward.sharing

# METADATA
# title: The child understands what would follow
# description: At 18 competent; before that as it was judged for this decision.
# scope: document
# custom:
#   source: sharing-rules.md L09 and 3.4, Names
competent := 2 if {
	adult
} else := 2 if {
	input.child.competence == "competent"
} else := 0 if {
	input.child.competence == "not_competent"
} else := 1

# METADATA
# title: Agreement, with its consequences explained, by one who can give it
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
agreement := min([truth(input.agreement.consequences_explained), able_to_agree]) if {
	input.agreement.status == "agreed"
} else := 0

# METADATA
# title: The child agrees who is competent; a parent or the authority for one who is not
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
able_to_agree := competent if {
	input.agreement.by == "child"
} else := 2 - competent if {
	input.agreement.by in {"pr_holder", "la"}
} else := 0

# METADATA
# title: Agreement as rows read it
# description: A yes given under a name that is not certain opens nothing.
# scope: document
# custom:
#   source: sharing-rules.md 3.4, HD10
agreed := 0 if {
	provisional
} else := agreement

# METADATA
# title: A competent child said no, or took the yes back
# scope: document
# custom:
#   source: sharing-rules.md 3.4, Names
objects := competent if {
	input.agreement.status in {"declined", "withdrawn"}
} else := 0 if {
	input.agreement.status in {"agreed", "not_asked"}
} else := 1
