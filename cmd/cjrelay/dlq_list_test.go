package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/letters"
)

func TestListOfLettersFitsTheTerminal(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 27, 11, 2, 7, 0, time.UTC)
	long := "attributes.email (20 characters): contains an e-mail address; CJ allows no personal data, send a neutral id instead of it"
	list := letterList{Topic: "dlq", Letters: []letters.Letter{{Reason: "malformed", Error: "not a JSON object", OrderID: "jane.doe@example.com", At: at}, {Reason: "unbuildable", OrderID: "ORD-000013", Error: long, At: at}, {Reason: "malformed", Error: "not a JSON object", At: at}}}
	lines := func(columns int) []string {
		var out strings.Builder
		require.NoError(t, writeLetters(&out, list, columns))
		return strings.Split(out.String(), "\n")
	}
	longest := func(lines []string) (most int) {
		for _, line := range lines {
			most = max(most, len([]rune(line)))
		}
		return most
	}
	t.Run("WithLinesOfTheirOwnForErrors", func(t *testing.T) {
		t.Parallel()
		got := lines(80)
		require.LessOrEqual(t, longest(got), 80)
		require.True(t, strings.HasSuffix(got[0], "REDRIVES"), got[0])
		require.Contains(t, got[1], "  (20 characters)  ", "what is hidden needs no room")
		require.Equal(t, "  not a JSON object", got[2])
		require.True(t, strings.HasPrefix(got[4], "  attributes.email (20 characters): contains"), got[4])
	})
	t.Run("WithWhatFitsBeside", func(t *testing.T) {
		t.Parallel()
		got := lines(140)
		require.Equal(t, 140, longest(got))
		require.True(t, strings.HasSuffix(got[1], "not a JSON object"), got[1])
		require.True(t, strings.HasSuffix(got[2], "…"), got[2])
	})
	t.Run("WholeOnAWideOne", func(t *testing.T) {
		t.Parallel()
		require.True(t, strings.HasSuffix(lines(240)[2], long))
	})
	t.Run("InOneLineEachElsewhere", func(t *testing.T) {
		t.Parallel()
		got := lines(0)
		require.True(t, strings.HasSuffix(got[0], "ERROR"))
		require.True(t, strings.HasSuffix(got[1], "not a JSON object"))
		require.Contains(t, got[1], "(20 characters, first bad character '@' at position 9)")
		require.Contains(t, got[2], long[:90])
	})
}
