"""How the figures of a report come about, and where they end; printed at its foot."""

from __future__ import annotations

__all__ = ["METHOD", "NOT_A_DEVICE"]

NOT_A_DEVICE = (
    "Not a medical device, and not a diagnosis. Made by software without anybody having looked at "
    "the ECG: whoever relies on a figure must look at the strips."
)

METHOD = (
    "Beats, their classes (AAMI: N, S, V, F, Q), rhythm, signal quality and alarms are those that "
    "the monitor told while it recorded. Nothing is judged anew here.",
    "Times: the host's clock at the first sample of each run, and from there the nominal rate of "
    "the device. Runs that would overlap follow one another.",
    "Heart rate: 60000 over the mean RR interval in ms, of intervals from 200 ms to 4 s in clean "
    "seconds without a gap or ventricular fibrillation. Highest and lowest: means of 8 consecutive "
    "intervals. A minute has a rate where 20 s of it are known.",
    "Pauses: RR intervals in clean seconds without ventricular fibrillation; a flat line that "
    "reports contact is clean. A standstill that "
    "never ended, or ended in noise, is no interval: see the asystole alarms.",
    "Ectopic beats: couplets are 2, runs 3 and more in a row without a gap. Bigeminy: 3 and more "
    "ectopic beats that alternate with single normal ones; trigeminy: with two. Burden: of all "
    "beats that have a class. Beats told during ventricular fibrillation count as unclassified.",
    "Atrial fibrillation: seconds that the network called AF, breaks of 10 s closed, episodes of "
    "30 s and more; of the seconds in which the rhythm was known and not noise. Where no network "
    "told the rhythm: from onset to end of the AF alarms, which then come of 128 RR intervals in a "
    "row and miss shorter episodes; where there are not as many, it is not judged.",
    "NN intervals: between two normal beats with nothing missing between them and outside AF, VT, "
    "VF and noise; none below 0.4 or above 2 s, none more than 20 % off the mean of the 20 before "
    "and the 20 after it. What is left out is not interpolated. Where no network classified the "
    "beats, all count as normal, and ectopic beats are kept out by the last two rules alone.",
    "Heart rate variability by the Task Force of the ESC and NASPE (Circulation 93:1043-1065, "
    "1996). SDANN, SDNN index and the spectrum are of stretches of 5 minutes that NN intervals "
    "cover to 80 %; triangular index and TINN with bins of 1/128 s; the spectrum is Lomb's of the "
    "NN intervals without resampling, the trend of each stretch taken away, powers averaged. VLF "
    "of 5 minutes says little. ULF is of 24 hours, of which 18 h lie in NN intervals; of several "
    "such days it is the mean. pNN50 is of the differences of adjacent NN intervals. SD1 and SD2: "
    "Brennan et al., IEEE Trans Biomed Eng 48:1342-1347, 2001.",
    "Alarms: from the onset to the end of the condition, whenever somebody acknowledged it.",
    "Strips: as recorded but for the median of each lead. 25 mm/s and 10 mm/mV when printed at "
    "100 %, unless the strip says otherwise.",
)
