package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// live draws the story in a terminal.
type live struct {
	program *tea.Program
	ask     func() snapshot
	done    chan struct{}
}

// showLive draws on a terminal until end. It reads no keys and catches no signals: those are the process's.
func showLive(out io.Writer, ask func() snapshot) *live {
	l := &live{ask: ask, done: make(chan struct{})}
	l.program = tea.NewProgram(picture{ask: ask, snapshot: ask()}, tea.WithOutput(out), tea.WithInput(nil), tea.WithoutSignalHandler(), tea.WithFPS(20))
	go func() {
		defer close(l.done)
		// A terminal that cannot be drawn on is no reason to stop the demo.
		_, _ = l.program.Run()
	}()
	return l
}

// end draws the last picture and gives the terminal back.
func (l *live) end() {
	l.program.Send(glance(l.ask()))
	l.program.Quit()
	<-l.done
}

// picture is the model that bubbletea draws.
type picture struct {
	ask      func() snapshot
	snapshot snapshot
	width    int
	height   int
	// trend is how many orders waited, one glance after the other.
	trend []int
}

// glance is the news of a look at the story.
type glance snapshot

func (p picture) look() tea.Cmd {
	return tea.Tick(lookEvery, func(time.Time) tea.Msg { return glance(p.ask()) })
}

// Init implements tea.Model.
func (p picture) Init() tea.Cmd { return p.look() }

// trendLength is how many glances the trend shows at most: twenty seconds, one of four a second.
const trendLength = 40

// Update implements tea.Model.
func (p picture) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		p.width, p.height = message.Width, message.Height
	case glance:
		p.snapshot = snapshot(message)
		if len(p.trend) == 0 || int(p.snapshot.elapsed/(500*time.Millisecond)) >= len(p.trend) {
			p.trend = append(p.trend, p.snapshot.waiting)
		}
		return p, p.look()
	}
	return p, nil
}

// View implements tea.Model.
func (p picture) View() tea.View { return tea.NewView(p.draw()) }

var (
	plain  = lipgloss.NewStyle()
	strong = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	green  = lipgloss.NewStyle().Foreground(lipgloss.Green)
	yellow = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	red    = lipgloss.NewStyle().Foreground(lipgloss.Red)
	blue   = lipgloss.NewStyle().Foreground(lipgloss.Blue)
)

// widest is where the picture stops growing: a calm picture is narrow.
const widest = 78

// draw makes the picture, cut to the terminal. Every part has its own sign, so that it can be read without
// colours.
func (p picture) draw() string {
	s, width := p.snapshot, widest
	if p.width > 0 {
		width = min(widest, p.width-1)
	}
	rows := []string{
		"",
		apart(width, strong.Render("cjrelay demo")+faint.Render(fmt.Sprintf("  seed %d", s.seed)), clock(s.elapsed)),
		"",
		p.headline(),
		"",
		p.bar(width),
		"",
		row(plain, " ", "orders", s.produced, faint.Render("of "+grouped(s.orders))),
		row(green, "█", "acknowledged", s.acknowledged, ""),
		row(blue, "▓", "unattributed", s.unattributed, ""),
		row(red, "▒", "dead letters", s.deadLetter, ""),
		row(yellow, "░", "waiting", s.waiting, yellow.Render(p.sparkline())),
		"",
		apart(width, "  breaker "+p.breaker(), faint.Render(grouped(s.requests)+" requests to CJ")),
		"",
		p.chapters(),
	}
	if s.console != "" {
		rows = append(rows, "", faint.Render("  console http://"+s.console+"/"))
	}
	if p.height > 0 && len(rows) >= p.height {
		rows = rows[:max(p.height-1, 1)]
	}
	cut := lipgloss.NewStyle().MaxWidth(max(width, 1))
	for i := range rows {
		rows[i] = cut.Render(rows[i])
	}
	return strings.Join(rows, "\n") + "\n"
}

func (p picture) headline() string {
	style, sign := green, "●"
	switch {
	case p.snapshot.trouble():
		style, sign = red.Bold(true), "✕"
	case p.snapshot.phase == restarting || p.snapshot.phase == recovering:
		style, sign = yellow, "↻"
	case p.snapshot.phase == told:
		sign = "✓"
	}
	return style.Render("  " + sign + " " + p.snapshot.headline())
}

// bar is all orders of the demo, each part as long as its share.
func (p picture) bar(width int) string {
	s, length := p.snapshot, max(width-4, 0)
	var text strings.Builder
	drawn, sum := 0, 0
	for _, part := range []struct {
		n     int
		sign  string
		style lipgloss.Style
	}{
		{s.acknowledged, "█", green}, {s.unattributed, "▓", blue}, {s.deadLetter, "▒", red}, {s.waiting, "░", yellow},
	} {
		sum = min(sum+part.n, s.orders)
		until := sum * length / max(s.orders, 1)
		text.WriteString(part.style.Render(strings.Repeat(part.sign, until-drawn)))
		drawn = until
	}
	return "  " + text.String() + faint.Render(strings.Repeat("·", length-drawn))
}

// sparkline is how many orders waited in the last seconds.
func (p picture) sparkline() string {
	const levels = "▁▂▃▄▅▆▇█"
	trend := p.trend[max(0, len(p.trend)-trendLength):]
	highest := 1
	for _, n := range trend {
		highest = max(highest, n)
	}
	var text strings.Builder
	for _, n := range trend {
		text.WriteRune([]rune(levels)[n*7/highest])
	}
	return text.String()
}

func (p picture) breaker() string {
	switch state := p.snapshot.breaker.String(); state {
	case "closed":
		return green.Render(state)
	case "open":
		return red.Bold(true).Render(state)
	default:
		return yellow.Render(state)
	}
}

// chapters are the parts of the story: told, being told, still to come.
func (p picture) chapters() string {
	words := []string{}
	for _, chapter := range []struct {
		name  string
		phase phase
	}{
		{"orders", shopping}, {"503", failing}, {"hang", hanging}, {"catch up", recovering}, {"restart", restarting}, {"ledger", auditing},
	} {
		switch {
		case p.snapshot.phase == chapter.phase:
			words = append(words, strong.Render("● "+chapter.name))
		case p.snapshot.reached[chapter.phase]:
			words = append(words, green.Render("✓ ")+chapter.name)
		default:
			words = append(words, faint.Render("○ "+chapter.name))
		}
	}
	return "  " + strings.Join(words, "  ")
}

func row(style lipgloss.Style, sign, name string, n int, beside string) string {
	return style.Render("  "+sign) + fmt.Sprintf(" %-13s%10s  ", name, grouped(n)) + beside
}

// apart puts two texts to the ends of a line.
func apart(width int, left, right string) string {
	left = "  " + strings.TrimPrefix(left, "  ")
	return left + strings.Repeat(" ", max(2, width-lipgloss.Width(left)-lipgloss.Width(right)-2)) + right
}
