# METADATA
# title: The default policy
# description: >
#   Stops images with vulnerabilities that are exploited in the wild, that are critical and have a fix, or that hold
#   malware; and images that nobody knows, where the namespace asks for that. What is denied here is denied, warned of
#   or counted as the namespace's mode says; that is not this policy's business.
package gatehouse.admission

# No more advisories than a person reads in the answer of kubectl.
max_named := 3

# METADATA
# entrypoint: true
decision := {"deny": deny, "warn": warn}

deny := [reason | some reason in denials]

warn := [reason | some reason in warnings]

denials contains reason if {
	some image in input.images
	offences := offending(image.verdict)
	count(offences) > 0
	reason := {
		"code": offences[0].code,
		"message": sprintf("%s %s has %s%s", [
			subject(image),
			image.reference,
			concat(", ", [sprintf("%s (%d)", [offence.what, offence.count]) | some offence in offences]),
			named(image.verdict),
		]),
		"image": image.reference,
	}
}

denials contains reason if {
	some image in input.images
	not judged(image)
	input.unknown == "deny"
	reason := {
		"code": "image_unknown",
		"message": sprintf("%s %s is %s, and this namespace admits known images only", [
			subject(image),
			image.reference,
			why_unknown(image),
		]),
		"image": image.reference,
	}
}

warnings contains reason if {
	some image in input.images
	image.verdict.state == "partial"
	reason := {
		"code": "image_partial",
		"message": sprintf("%s %s could be read only in part; what is unread is not judged", [
			subject(image),
			image.reference,
		]),
	}
}

# A verdict that does not speak of the whole content is none: what could not be read is where something would be hidden.
# Mind that null is true in Rego.
judged(image) if image.verdict.state == "ready"

why_unknown(image) := "not known yet" if {
	image.verdict == null
} else := "known, but its content could be read only in part" if {
	image.verdict.state == "partial"
} else := "known, but its content could not be read"

# The worst kind of offence first: its code is the code of the denial.
offending(verdict) := [offence |
	some offence in [
		{"code": "malware", "what": "malicious packages", "count": verdict.malware},
		{"code": "known_exploited", "what": "known exploited vulnerabilities", "count": verdict.knownExploited},
		{"code": "critical_fixable", "what": "critical vulnerabilities with a fix", "count": verdict.fixable.critical},
	]
	offence.count > 0
]

# The worst offences by name. The core sorts findings from the worst on.
named(verdict) := sprintf(": %s", [concat("; ", array.slice(named_findings(verdict), 0, max_named))]) if {
	count(named_findings(verdict)) > 0
} else := ""

named_findings(verdict) := [sprintf("%s in %s (%s)", [finding.id, package_name(finding.purl), remedy(finding)]) |
	some finding in verdict.findings
	offensive(finding)
]

offensive(finding) if finding.knownExploited

offensive(finding) if {
	finding.severity == "critical"
	finding.fixedIn != null
}

offensive(finding) if startswith(finding.id, "MAL-")

remedy(finding) := sprintf("fixed in %s", [finding.fixedIn]) if {
	finding.fixedIn != null
} else := "no fix known"

# pkg:npm/%40scope/name@1.2.3?arch=amd64 reads as npm/@scope/name@1.2.3.
package_name(purl) := strings.replace_n(purl_escapes, trim_prefix(split(purl, "?")[0], "pkg:"))

purl_escapes := {"%40": "@", "%2B": "+", "%2F": "/", "%3A": ":", "%7E": "~"}

subject(image) := sprintf("%s %s:", [position_name[image.position], image.container])

position_name := {
	"container": "container",
	"init": "init container",
	"ephemeral": "ephemeral container",
	"volume": "image volume",
}
