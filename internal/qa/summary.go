package qa

import "time"

// Summary is a run for machines: the contract of `cjrelay qa -o json`.
type Summary struct {
	Passed       bool              `json:"passed"`
	Live         bool              `json:"live"`
	At           time.Time         `json:"at"`
	Version      string            `json:"version"`
	Endpoint     string            `json:"endpoint"`
	EnterpriseID string            `json:"enterprise_id"`
	Scenarios    []ScenarioSummary `json:"scenarios"`
	// NotCovered is CJ's cases that no scenario covers that passed.
	NotCovered []Case `json:"not_covered"`
	// HTML and Markdown are the paths of the reports.
	HTML     string `json:"html"`
	Markdown string `json:"markdown"`
}

// ScenarioSummary is one scenario of a Summary.
type ScenarioSummary struct {
	Name    string `json:"name"`
	Case    Case   `json:"case,omitempty"`
	OrderID string `json:"order_id"`
	Passed  bool   `json:"passed"`
	// Failures says what is not as it must be, without the click id.
	Failures []string `json:"failures"`
	Figures  []Figure `json:"figures"`
	// Status is what the endpoint answered in a live run, otherwise the fake CJ; 0 if there was no answer.
	Status int `json:"status"`
}

// Summary sums the run up. The paths of the reports are the caller's to add.
func (r *Run) Summary() Summary {
	s := Summary{
		Passed: r.Passed() == len(r.Results), Live: r.Live, At: r.Started, Version: r.Version,
		Endpoint: r.Account.Endpoint, EnterpriseID: r.Account.EnterpriseID, NotCovered: []Case{},
	}
	for i := range r.Results {
		result := &r.Results[i]
		one := ScenarioSummary{
			Name: result.Name, Case: result.Case, OrderID: impersonal(result.Order.ID), Passed: result.Passed(),
			Failures: append([]string{}, result.Failures...), Figures: result.Figures,
		}
		if answer := result.lastAnswer(); answer != nil {
			one.Status = answer.Status
		}
		s.Scenarios = append(s.Scenarios, one)
	}
	for _, coverage := range r.coverage() {
		if len(coverage.By) == 0 {
			s.NotCovered = append(s.NotCovered, coverage.Case)
		}
	}
	return s
}

// lastAnswer is the endpoint's answer if there is one, otherwise the fake CJ's.
func (r *Result) lastAnswer() *Answer {
	if r.Live != nil {
		return r.Live
	}
	return r.Rehearsal
}
