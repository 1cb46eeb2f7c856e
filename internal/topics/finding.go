package topics

import "fmt"

// The statuses of a finding.
const (
	OK      = "ok"
	Created = "created"
	Missing = "missing"
	Wrong   = "wrong"
)

// Finding is what a check or a creation says about one topic or one of its settings.
type Finding struct {
	Topic string `json:"topic"`
	// Setting is empty when the finding is about the topic as a whole.
	Setting string `json:"setting,omitempty"`
	Want    string `json:"want,omitempty"`
	Have    string `json:"have,omitempty"`
	// Status is one of OK, Created, Missing and Wrong.
	Status string `json:"status"`
	Why    string `json:"why,omitempty"`
}

// Good tells whether nothing is left to do.
func (f Finding) Good() bool { return f.Status == OK || f.Status == Created }

// compare checks one topic, whose settings are nil when it is missing.
func (t Topic) compare(actual map[string]string) []Finding {
	if actual == nil {
		return []Finding{{Topic: t.Name, Status: Missing, Why: "make it with `cjrelay topics`"}}
	}
	findings := []Finding{{Topic: t.Name, Status: OK}}
	for _, setting := range t.Settings {
		finding := Finding{Topic: t.Name, Setting: setting.Key, Want: setting.Value, Have: actual[setting.Key], Status: OK}
		if !setting.ok(finding.Have) {
			finding.Status, finding.Why = Wrong, setting.Why
		}
		findings = append(findings, finding)
	}
	return findings
}

// Fatal picks out what a consumer must not start with: clicks that are missing, not compacted, or spread over
// another number of partitions than the orders that they are co-partitioned with.
func Fatal(findings []Finding, names Names) error {
	for _, f := range findings {
		if f.Topic != names.Clicks {
			continue
		}
		if f.Status == Missing {
			return fmt.Errorf("clicks.topic %q does not exist: make it with `cjrelay topics`", names.Clicks)
		}
		if f.Setting == partitions && !f.Good() {
			return fmt.Errorf("clicks.topic %q has %s partitions and orders.topic %q has %s: %s", names.Clicks, f.Have, names.Orders, f.Want, f.Why)
		}
		if f.Setting == "cleanup.policy" && !hasPolicy(f.Have, "compact") {
			return fmt.Errorf("clicks.topic %q is not compacted (cleanup.policy=%s): set cleanup.policy=compact,delete, "+
				"or every restart reads all clicks ever made and retention drops those that still count", names.Clicks, f.Have)
		}
	}
	return nil
}
