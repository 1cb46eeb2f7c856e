package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMassRule(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, s *stand){
		"ABadOrderAmongGoodOnesGoesAtOnce": func(t *testing.T, s *stand) {
			s.pass(20)
			require.Empty(t, s.reject(1))
		},
		"HalfOfTheLatestIsTheSetUp": func(t *testing.T, s *stand) {
			s.pass(20)
			require.Empty(t, s.reject(9))
			require.Len(t, s.reject(15), 15)
			require.Equal(t, massState{Held: 15, Rejected: 20, Latest: 20, Everything: true, Since: time.Now(), Why: errRejected}, s.state())
		},
		"FewOrdersWaitAndGo": func(t *testing.T, s *stand) {
			held := s.reject(3)
			require.Len(t, held, 3)
			time.Sleep(usual.wait - 1)
			require.Empty(t, s.went())
			time.Sleep(time.Nanosecond)
			require.Equal(t, held, s.went())
			require.Empty(t, s.tried(), "CJ is not asked again")
			require.Zero(t, s.state().Held)
		},
		"FewOrdersWaitEachForItself": func(t *testing.T, s *stand) {
			first := s.reject(1)
			time.Sleep(usual.wait / 2)
			second := s.reject(1)
			time.Sleep(usual.wait / 2)
			require.Equal(t, first, s.went())
			time.Sleep(usual.wait / 2)
			require.Equal(t, second, s.went())
		},
		"FewOrdersThatWaitGoAsSoonAsThereAreEnough": func(t *testing.T, s *stand) {
			held := s.reject(2)
			s.pass(17)
			require.Empty(t, s.went())
			s.pass(1)
			require.Equal(t, held, s.went())
			require.Empty(t, s.tried())
		},
		"FewOrdersThatWaitAreStoppedToo": func(t *testing.T, s *stand) {
			held := s.reject(3)
			s.stop()
			s.pass(20)
			time.Sleep(time.Hour)
			require.Empty(t, s.went())
			s.release()
			require.Equal(t, held, s.tried())
		},
		"AWaitThatEndsWhileEverythingIsRejectedLetsNobodyGo": func(t *testing.T, s *stand) {
			s.reject(10)
			time.Sleep(usual.wait - 1)
			s.reject(10)
			time.Sleep(10 * usual.wait)
			require.Zero(t, s.judge(always))
			require.Equal(t, 20, s.state().Held)
		},
		"ACauseThatStaysCostsOneTryAPace": func(t *testing.T, s *stand) {
			held := s.reject(30)
			for i := range 60 {
				time.Sleep(usual.pace - 1)
				require.Empty(t, s.tried())
				time.Sleep(time.Nanosecond)
				require.Equal(t, []*suspect{held[i%30]}, s.tried(), "each in its turn")
				require.False(t, s.rejected(held[i%30], errRejected))
			}
		},
		"WhenTheCauseIsGoneAllPassWithoutANewOrder": func(t *testing.T, s *stand) {
			require.Len(t, s.reject(1000), 1000)
			time.Sleep(time.Hour)
			require.Zero(t, s.judge(always))
			require.Error(t, s.trouble())
			time.Sleep(usual.pace)
			require.Zero(t, s.judge(never))
			require.Zero(t, s.state().Held)
			require.NoError(t, s.trouble())
			require.Empty(t, s.reject(1), "it judges orders again")
		},
		"WhenTheCauseIsGoneTheFewBadOnesGo": func(t *testing.T, s *stand) {
			held := s.reject(1000)
			bad := map[*suspect]bool{held[0]: true, held[500]: true, held[999]: true}
			time.Sleep(10 * usual.pace)
			s.judge(always)
			gone := 0
			for range 10 {
				time.Sleep(usual.pace)
				gone += s.judge(func(one *suspect) bool { return bad[one] })
			}
			require.Equal(t, 3, gone)
			require.Zero(t, s.state().Held)
		},
		"BadOrdersInARowGoWhenGoodOnesCome": func(t *testing.T, s *stand) {
			s.reject(40)
			s.pass(10)
			require.Zero(t, s.judge(always))
			s.pass(1)
			require.Equal(t, usual.window/2, s.judge(always), "a few at once")
			s.pass(9)
			require.Equal(t, 9, s.judge(always), "then one for each good order")
			gone := 0
			for range 21 {
				time.Sleep(usual.pace)
				gone += s.judge(always)
			}
			require.Equal(t, 21, gone, "then one a pace")
			require.Zero(t, s.state().Held)
		},
		"BadOrdersInARowAreHeldForAsLongAsItTakes": func(t *testing.T, s *stand) {
			s.reject(20)
			for range 1000 {
				time.Sleep(usual.pace)
				require.Zero(t, s.judge(always))
			}
			require.Equal(t, 20, s.state().Held)
		},
		"HeldOrdersThatAreTriedDoNotPushOutGoodOnes": func(t *testing.T, s *stand) {
			s.reject(100)
			for range 10 {
				s.pass(1)
				require.Zero(t, s.judge(always))
			}
			s.pass(1)
			require.False(t, s.state().Everything)
		},
		"OldOrdersThatPassOutweighLaterBadOnes": func(t *testing.T, s *stand) {
			old := s.reject(11)
			later := s.reject(20)
			isOld := map[*suspect]bool{}
			for _, one := range old {
				isOld[one] = true
			}
			gone := 0
			for range 31 {
				time.Sleep(usual.pace)
				gone += s.judge(func(one *suspect) bool { return !isOld[one] })
			}
			require.Equal(t, len(later), gone)
		},
		"TheSameOrderIsOneSample": func(t *testing.T, s *stand) {
			one, other := s.suspect(), s.suspect()
			other.key = one.key
			require.False(t, s.rejected(one, errRejected))
			require.False(t, s.rejected(other, errRejected))
			require.Equal(t, 1, s.state().Latest)
			s.passed(one.key)
			require.Equal(t, massState{Held: 2, Latest: 1, Why: errRejected}, s.state(), "its latest verdict counts")
			time.Sleep(usual.wait)
			require.Len(t, s.went(), 2)
			again := s.suspect()
			again.key = one.key
			s.rejected(again, errRejected)
			require.Equal(t, 1, s.state().Rejected, "its latest verdict counts")
			require.Equal(t, 1, s.state().Latest)
		},
		"RedrivenOrdersAreNoSamples": func(t *testing.T, s *stand) {
			s.pass(20)
			s.reject(8)
			for range 20 {
				one := s.suspect()
				one.redriven = true
				require.True(t, s.rejected(one, errRejected))
			}
			require.Equal(t, 8, s.state().Rejected)
			s.reject(2)
			one := s.suspect()
			one.redriven = true
			require.False(t, s.rejected(one, errRejected), "but they are held like others")
			require.Equal(t, 2, s.state().Held)
			time.Sleep(2 * usual.pace)
			require.Zero(t, s.judge(func(tried *suspect) bool { return tried != one }))
			require.Equal(t, 10, s.state().Rejected, "nor when they pass")
		},
		"ADroppedOrderIsNotTried": func(t *testing.T, s *stand) {
			held := s.reject(30)
			for _, one := range held[1:] {
				s.drop(one)
				s.drop(one)
			}
			time.Sleep(usual.pace)
			require.Equal(t, held[:1], s.tried())
			s.drop(held[0])
			require.False(t, s.rejected(held[0], errRejected), "its answer came late")
			s.cleared(held[0])
			time.Sleep(time.Hour)
			require.Empty(t, s.tried())
			require.Zero(t, s.state().Held)
			require.NoError(t, s.trouble(), "nothing is held")
			require.Equal(t, 20, s.state().Rejected, "what was seen was seen")
		},
		"AnOrderThatIsDroppedBeforeItsVerdictIsNotHeld": func(t *testing.T, s *stand) {
			one := s.suspect()
			s.drop(one)
			require.False(t, s.rejected(one, errRejected))
			time.Sleep(time.Hour)
			require.Empty(t, s.tried())
			require.Zero(t, s.state().Held)
		},
		"ATryWithoutAVerdictHoldsUpNobody": func(t *testing.T, s *stand) {
			held := s.reject(30)
			for _, one := range held {
				time.Sleep(usual.pace)
				require.Equal(t, []*suspect{one}, s.tried())
			}
		},
		"AnOperatorReleasesWhatIsHeld": func(t *testing.T, s *stand) {
			held := s.reject(100)
			s.release()
			require.Equal(t, 99, s.judge(func(one *suspect) bool { return one != held[50] }), "but one passes")
			require.Zero(t, s.state().Held)
			require.Len(t, s.reject(1), 1, "those that come later are held")
		},
		"AReleaseTriesAFewAtATime": func(t *testing.T, s *stand) {
			s.reject(100)
			s.release()
			tries := s.tried()
			require.Len(t, tries, usual.window/2)
			require.True(t, s.rejected(tries[0], errRejected))
			require.Len(t, s.tried(), 1)
			time.Sleep(usual.pace)
			require.Len(t, s.tried(), 1, "and goes on where tries end without a verdict")
		},
		"AReleaseIsForThoseBeingTriedToo": func(t *testing.T, s *stand) {
			s.reject(20)
			time.Sleep(usual.pace)
			tries := s.tried()
			s.release()
			require.True(t, s.rejected(tries[0], errRejected))
		},
		"AReleaseShortensTheWaitForSamples": func(t *testing.T, s *stand) {
			held := s.reject(3)
			s.release()
			require.Equal(t, held, s.went())
			require.Zero(t, s.state().Held)
		},
		"AnOperatorStopsWhatIsHeld": func(t *testing.T, s *stand) {
			s.reject(20)
			s.stop()
			since := s.state().Since
			time.Sleep(time.Hour)
			require.Empty(t, s.tried())
			s.pass(40)
			require.Empty(t, s.tried())
			require.Len(t, s.reject(1), 1, "nothing goes")
			require.ErrorContains(t, s.trouble(), "an operator has stopped them")
			require.Equal(t, since, s.state().Since)
			s.release()
			require.Equal(t, 21, s.judge(always))
			require.NoError(t, s.trouble())
		},
		"AStopMayComeBeforeAnythingIsHeld": func(t *testing.T, s *stand) {
			s.pass(20)
			s.stop()
			require.NoError(t, s.trouble())
			require.Len(t, s.reject(1), 1)
			require.ErrorContains(t, s.trouble(), "1 of the latest 20 orders were rejected by CJ; 1 are held")
			since := s.state().Since
			time.Sleep(time.Hour)
			require.Empty(t, s.tried())
			s.reject(20)
			require.True(t, s.state().Everything)
			require.Equal(t, since, s.state().Since)
		},
		"ATimerThatWasStoppedTooLateDoesNothing": func(t *testing.T, s *stand) {
			s.reject(30)
			late := s.turn
			s.stop()
			s.release()
			require.Len(t, s.tried(), usual.window/2)
			s.tick(late)
			require.Empty(t, s.tried())
			time.Sleep(usual.pace)
			require.Len(t, s.tried(), 1)
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, newStand(usual)) })
		})
	}
}

func TestMassTroubleSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, at := range stages {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStand(usual)
				s.mass.stage = at
				s.reject(19)
				require.NoError(t, s.trouble(), "it may still be the orders")
				s.reject(1)
				time.Sleep(time.Minute)
				require.EqualError(t, s.trouble(), "20 of the latest 20 orders "+at.rejection()+", which is the set-up or CJ rather than the orders; "+
					"20 are held since 2000-01-01T00:00:00Z and none is dead-lettered. They are tried again, one every 5s, and go on by themselves "+
					"when the cause is gone; if the orders are to blame, POST /actions/held/"+string(at)+"/release. The latest: CJ answered 400")
				require.ErrorIs(t, s.trouble(), errRejected)
				s.stop()
				require.EqualError(t, s.trouble(), "20 of the latest 20 orders "+at.rejection()+"; 20 are held, and an operator has stopped them "+
					"since 2000-01-01T00:00:00Z: POST /actions/held/"+string(at)+"/release to go on. The latest: CJ answered 400")
			})
		})
	}
}
