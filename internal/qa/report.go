package qa

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/postback"
)

// page is a run as both reports show it.
type page struct {
	Passed    bool
	Verdict   string
	Mode      []string
	Facts     []fact
	Results   []section
	Coverage  []Coverage
	Questions []string
	Limits    []string
}

// fact is a name and a value, of the run or of an order.
type fact struct{ Name, Value string }

// section is one scenario of a page.
type section struct {
	*Result
	Number   int
	OrderID  string
	Wants    string
	Known    Evidence
	Facts    []fact
	Lines    []orderLine
	Currency string
	Total    Figure
	Answers  []fact
	// Sent is false where no postback could be built: then there is nothing to compare.
	Sent bool
}

// mark is the sign at a line that was compared.
type mark struct{ Class, Sign, Word string }

func markOf(sent, ok bool) mark {
	switch {
	case !sent:
		return mark{"soft", "–", "not sent"}
	case ok:
		return mark{"passed", "✓", "ok"}
	}
	return mark{"failed", "✕", "**WRONG**"}
}

// orderLine is one line of an order for people.
type orderLine struct {
	SKU, Price, Discount, Total string
	Quantity                    int64
}

// WriteHTML writes the report as one HTML file that asks the network for nothing.
func (r *Run) WriteHTML(w io.Writer) error { return htmlReport.Execute(w, r.page()) }

// WriteMarkdown writes the report as Markdown with tables (GitHub's).
func (r *Run) WriteMarkdown(w io.Writer) error { return markdownReport.Execute(w, r.page()) }

func (r *Run) page() page {
	passed := r.Passed()
	p := page{
		Passed: passed == len(r.Results), Verdict: fmt.Sprintf("%d of %d scenarios passed", passed, len(r.Results)),
		Mode: r.mode(), Facts: r.facts(), Coverage: r.coverage(), Limits: limits,
	}
	for i := range r.Results {
		p.Results = append(p.Results, r.section(i))
		for _, parameter := range r.Results[i].Parameters {
			if question := parameter.Rule.Question; question != "" && !slices.Contains(p.Questions, question) {
				p.Questions = append(p.Questions, question)
			}
		}
	}
	p.Questions = append(p.Questions, askResponse)
	return p
}

// mode says in a few sentences what the report shows.
func (r *Run) mode() []string {
	if r.Live {
		return []string{
			"Live test. The orders below were first read by a strict fake CJ, which is part of cjrelay, and then sent once each to " + r.Account.Endpoint + " with the test click id.",
			"An answer of 2xx is a receipt, not yet a commission. Please compare the orders with what CJ recorded.",
		}
	}
	mode := []string{"Rehearsal. The orders below were read by a strict fake CJ, which is part of cjrelay. Nothing was sent to CJ."}
	if r.Stamp != "" {
		mode = append(mode, "A live test was asked for. It was not begun, because a scenario failed in the rehearsal.")
	}
	if r.Account.Sample {
		mode = append(mode, "The account is made up, since no configuration was given.")
	}
	return mode
}

func (r *Run) facts() []fact {
	var facts []fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, fact{name, value})
		}
	}
	add("Advertiser", r.Account.Name)
	add("Enterprise id (CID)", r.Account.EnterpriseID)
	var trackers []string
	for _, action := range slices.Sorted(maps.Keys(r.Account.Actions)) {
		trackers = append(trackers, action+" "+r.Account.Actions[action])
	}
	add("Action trackers (TYPE)", strings.Join(trackers, ", "))
	add("Endpoint", r.Account.Endpoint)
	click := r.ClickID
	if click == SampleClickID {
		click += " (made up)"
	}
	add("Test click (CJEVENT)", click)
	if r.Stamp != "" {
		add("Order ids begin with", "QA-"+r.Stamp)
	}
	add("Date", r.Started.Format("2006-01-02 15:04:05 UTC"))
	add("Sent by", "cjrelay "+r.Version)
	return facts
}

// limits is what no such test can show.
var limits = []string{
	"Whether CJ booked the orders. Only CJ's reports show that, up to hours later.",
	"What the shopper saw. CJ asks for a screenshot of the confirmation page of each retail test order, with order id, prices, discounts and taxes; those go with this report.",
	"Changes after the order. Returns, cancellations, and the Accepted and Declined updates of open-ended actions go by CJ's own API or data files.",
}

func (r *Run) section(index int) section {
	result := &r.Results[index]
	info := result.Case.Info()
	s := section{
		Result: result, Number: index + 1, OrderID: impersonal(result.Order.ID), Wants: info.Wants, Known: info.Evidence,
		Facts: orderFacts(r.Account, result), Lines: orderLines(result), Currency: result.Order.Currency,
		Sent: result.Rehearsal != nil,
	}
	if n := len(result.Figures); n > 0 {
		s.Total = result.Figures[n-1]
	}
	s.Answers = append(s.Answers, fact{"Fake CJ", answerText(result.Rehearsal, false)})
	if r.Live {
		s.Answers = append(s.Answers, fact{r.Account.Endpoint, answerText(result.Live, true)})
	}
	return s
}

// orderFacts is what an order says beside its lines. The session is left out: CJ never learns of it.
func orderFacts(account Account, result *Result) []fact {
	o := result.Order
	var facts []fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, fact{impersonal(name), impersonal(value)})
		}
	}
	add("Order id", o.ID)
	add("Confirmed at", o.ConfirmedAt.UTC().Format(time.RFC3339Nano))
	add("Action", account.action(o))
	if o.Amount != nil {
		add("Amount", o.Amount.String()+" "+o.Currency)
	}
	if !o.Discount.IsZero() {
		add("Order discount", o.Discount.String()+" "+o.Currency)
	}
	add("Coupons", strings.Join(o.Coupons, ", "))
	add("Customer status", o.CustomerStatus)
	add("Customer country", o.CustomerCountry)
	for _, attribute := range o.Attributes {
		add(attribute.Name, attribute.Value)
	}
	return facts
}

func orderLines(result *Result) []orderLine {
	var lines []orderLine
	for _, item := range result.Order.Items {
		lines = append(lines, orderLine{
			SKU: impersonal(item.SKU), Price: item.UnitPrice.String(), Quantity: item.Quantity, Discount: item.Discount.String(),
			Total: item.UnitPrice.Mul(item.Quantity).Sub(item.Discount).String(),
		})
	}
	return lines
}

func answerText(answer *Answer, timed bool) string {
	switch {
	case answer == nil:
		return "not sent"
	case answer.Class != postback.Acknowledged:
		return answer.Err
	case timed:
		return fmt.Sprintf("%d %s after %s", answer.Status, http.StatusText(answer.Status), answer.Latency.Round(100*time.Microsecond))
	}
	return fmt.Sprintf("%d %s", answer.Status, http.StatusText(answer.Status))
}
