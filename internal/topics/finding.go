package topics

import "fmt"

// Finding is what a check or a creation says about one topic or one of its settings.
type Finding struct {
	Topic string `json:"topic"`
	// Setting is empty when the finding is about the topic as a whole.
	Setting string `json:"setting,omitempty"`
	Want    string `json:"want,omitempty"`
	Have    string `json:"have,omitempty"`
	// Status is ok, created, missing or wrong.
	Status string `json:"status"`
	Why    string `json:"why,omitempty"`
}

// Good tells whether nothing is left to do.
func (f Finding) Good() bool { return f.Status == "ok" || f.Status == "created" }

// compare checks one topic, whose settings are nil when it is missing.
func (t Topic) compare(actual map[string]string) []Finding {
	if actual == nil {
		return []Finding{{Topic: t.Name, Status: "missing", Why: "make it with `cjrelay topics`"}}
	}
	findings := []Finding{{Topic: t.Name, Status: "ok"}}
	for _, setting := range t.Settings {
		finding := Finding{Topic: t.Name, Setting: setting.Key, Want: setting.Value, Have: actual[setting.Key], Status: "ok"}
		if !setting.ok(finding.Have) {
			finding.Status, finding.Why = "wrong", setting.Why
		}
		findings = append(findings, finding)
	}
	return findings
}

// Fatal picks out what a consumer must not start with: clicks that are missing or not compacted.
func Fatal(findings []Finding, names Names) error {
	for _, f := range findings {
		if f.Topic != names.Clicks {
			continue
		}
		if f.Status == "missing" {
			return fmt.Errorf("clicks.topic %q does not exist: make it with `cjrelay topics`", names.Clicks)
		}
		if f.Setting == "cleanup.policy" && !hasPolicy(f.Have, "compact") {
			return fmt.Errorf("clicks.topic %q is not compacted (cleanup.policy=%s): set cleanup.policy=compact,delete, "+
				"or every restart reads all clicks ever made and retention drops those that still count", names.Clicks, f.Have)
		}
	}
	return nil
}
