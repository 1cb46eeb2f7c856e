package qa

// Evidence says how well something about CJ is known.
type Evidence string

// The grades of evidence.
const (
	// Documented: CJ's documentation says it.
	Documented Evidence = "documented"
	// InCode: code or an API schema that CJ publishes says it.
	InCode Evidence = "in CJ's code"
	// Inferred: it follows from examples, or from what working clients do.
	Inferred Evidence = "inferred"
	// Unknown: nothing public says it.
	Unknown Evidence = "unknown"
)
