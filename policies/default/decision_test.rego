package gatehouse.admission_test

import data.gatehouse.admission

lodash := {
	"id": "GHSA-jf85-cpcp-j695",
	"purl": "pkg:npm/lodash@4.17.11",
	"severity": "critical",
	"fixedIn": "4.17.12",
	"knownExploited": false,
}

minimist := {
	"id": "GHSA-xvch-5gv4-984h",
	"purl": "pkg:npm/minimist@1.2.0",
	"severity": "critical",
	"fixedIn": "1.2.6",
	"knownExploited": false,
}

unfixed := {
	"id": "CVE-2019-1010022",
	"purl": "pkg:deb/debian/glibc@2.36-9%2Bdeb12u10?arch=amd64",
	"severity": "critical",
	"fixedIn": null,
	"knownExploited": false,
}

exploited := {
	"id": "CVE-2023-4863",
	"purl": "pkg:deb/debian/libwebp@1.2.4-0.2?arch=amd64&distro=debian-12",
	"severity": "high",
	"fixedIn": "1.2.4-0.2+deb12u1",
	"knownExploited": true,
}

clean := {
	"state": "ready",
	"counts": {"critical": 0, "high": 0, "medium": 0, "low": 0, "unknown": 0},
	"fixable": {"critical": 0, "high": 0, "medium": 0, "low": 0, "unknown": 0},
	"knownExploited": 0,
	"malware": 0,
	"findings": [],
}

critical(findings) := object.union(clean, {"fixable": {"critical": count(findings)}, "findings": findings})

review(verdict, changes) := object.union(
	{
		"mode": "enforce",
		"unknown": "allow",
		"images": [{
			"container": "app",
			"position": "container",
			"reference": "registry.example/app:1",
			"verdict": verdict,
		}],
	},
	changes,
)

test_a_clean_image_passes if {
	admission.decision == {"deny": [], "warn": []} with input as review(clean, {})
}

test_a_critical_finding_with_a_fix_denies_and_is_named if {
	decision := admission.decision with input as review(critical([lodash]), {})
	decision.deny == [{
		"code": "critical_fixable",
		"image": "registry.example/app:1",
		"message": concat("", [
			"container app: registry.example/app:1 has critical vulnerabilities with a fix (1): ",
			"GHSA-jf85-cpcp-j695 in npm/lodash@4.17.11 (fixed in 4.17.12)",
		]),
	}]
}

test_a_critical_finding_without_a_fix_passes if {
	verdict := object.union(clean, {"counts": {"critical": 1}, "findings": [unfixed]})
	admission.decision.deny == [] with input as review(verdict, {})
}

test_a_known_exploited_finding_denies_whatever_its_severity if {
	verdict := object.union(clean, {"knownExploited": 1, "findings": [exploited]})
	decision := admission.decision with input as review(verdict, {})
	decision.deny[0].code == "known_exploited"
	contains(decision.deny[0].message, "CVE-2023-4863 in deb/debian/libwebp@1.2.4-0.2 (fixed in 1.2.4-0.2+deb12u1)")
}

test_a_known_exploited_finding_without_a_fix_says_so if {
	finding := object.union(exploited, {"fixedIn": null})
	verdict := object.union(clean, {"knownExploited": 1, "findings": [finding]})
	decision := admission.decision with input as review(verdict, {})
	contains(decision.deny[0].message, "(no fix known)")
}

test_malware_denies if {
	verdict := object.union(clean, {"malware": 1})
	decision := admission.decision with input as review(verdict, {})
	decision.deny[0].code == "malware"
}

test_no_more_than_three_are_named if {
	decision := admission.decision with input as review(critical([lodash, minimist, lodash, minimist, unfixed]), {})
	count(split(decision.deny[0].message, "fixed in")) == 4
}

test_a_plus_in_a_version_stays_a_plus if {
	admission.package_name("pkg:deb/debian/glibc@2.36-9+deb12u10?arch=amd64") == "deb/debian/glibc@2.36-9+deb12u10"
	admission.package_name("pkg:deb/debian/glibc@2.36-9%2Bdeb12u10") == "deb/debian/glibc@2.36-9+deb12u10"
	admission.package_name("pkg:npm/%40scope/name@1.0.0") == "npm/@scope/name@1.0.0"
}

test_an_unknown_image_passes_where_unknown_is_allowed if {
	admission.decision.deny == [] with input as review(null, {})
}

test_an_unknown_image_is_denied_where_unknown_is_denied if {
	decision := admission.decision with input as review(null, {"unknown": "deny"})
	decision.deny[0].code == "image_unknown"
	contains(decision.deny[0].message, "is not known yet")
}

test_an_image_that_could_not_be_read_counts_as_unknown if {
	verdict := object.union(clean, {"state": "failed"})
	decision := admission.decision with input as review(verdict, {"unknown": "deny"})
	decision.deny[0].code == "image_unknown"
	contains(decision.deny[0].message, "could not be read")
}

test_an_image_read_in_part_is_judged_and_warned_of if {
	verdict := object.union(critical([lodash]), {"state": "partial"})
	decision := admission.decision with input as review(verdict, {})
	decision.deny[0].code == "critical_fixable"
	decision.warn[0].code == "image_partial"
}

test_an_image_read_in_part_counts_as_unknown_where_those_are_denied if {
	verdict := object.union(clean, {"state": "partial"})
	decision := admission.decision with input as review(verdict, {"unknown": "deny"})
	decision.deny[0].code == "image_unknown"
	contains(decision.deny[0].message, "only in part")
}

test_each_image_has_a_reason_of_its_own if {
	images := [
		{"container": "app", "position": "container", "reference": "a:1", "verdict": critical([lodash])},
		{"container": "setup", "position": "init", "reference": "b:1", "verdict": critical([minimist])},
		{"container": "debug", "position": "ephemeral", "reference": "c:1", "verdict": clean},
		{"container": "model", "position": "volume", "reference": "d:1", "verdict": critical([minimist])},
	]
	decision := admission.decision with input as review(null, {"images": images})
	{reason.image | some reason in decision.deny} == {"a:1", "b:1", "d:1"}
	some reason in decision.deny
	startswith(reason.message, "init container setup: b:1")
}
