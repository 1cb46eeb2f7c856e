package demo

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestPictureFitsEveryTerminal(t *testing.T) {
	t.Parallel()
	story := snapshot{
		elapsed: 83 * time.Second, phase: hanging, reached: map[phase]bool{shopping: true, failing: true, hanging: true}, seed: 1, console: "127.0.0.1:9644",
		orders: 1_000_000, produced: 345_678, acknowledged: 200_000, unattributed: 100_000, deadLetter: 3_000, waiting: 42_678, breaker: breaker.Open,
	}
	var model tea.Model = picture{ask: func() snapshot { return story }, snapshot: story}
	for range 100 {
		story.elapsed += time.Second
		model, _ = model.Update(glance(story))
	}
	for _, width := range []int{1, 2, 10, 40, 60, 80, 100, 300} {
		for _, height := range []int{1, 2, 10, 30} {
			model, _ = model.Update(tea.WindowSizeMsg{Width: width, Height: height})
			text := strings.TrimSuffix(model.View().Content, "\n")
			lines := strings.Split(text, "\n")
			require.LessOrEqual(t, len(lines), max(height-1, 1), "%d x %d", width, height)
			for _, line := range lines {
				require.LessOrEqual(t, lipgloss.Width(line), max(width-1, 1), "%d x %d", width, height)
			}
		}
	}
	model, _ = model.Update(tea.WindowSizeMsg{Width: 100, Height: 30})
	text := ansi.Strip(model.View().Content)
	for _, part := range []string{"seed 1", "3:03", "never answers", "345,678  of 1,000,000", "█ acknowledged    200,000", "breaker open", "✓ 503  ● hang  ○ catch up", "127.0.0.1:9644"} {
		require.Contains(t, text, part)
	}
}

func TestPictureBeginsWithNothing(t *testing.T) {
	t.Parallel()
	require.Contains(t, ansi.Strip(picture{snapshot: snapshot{orders: 1}}.draw()), "opening")
}

func TestGroupedNumbers(t *testing.T) {
	t.Parallel()
	for n, text := range map[int]string{0: "0", 12: "12", 999: "999", 1000: "1,000", 1_234_567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		require.Equal(t, text, grouped(n))
	}
}
