# Draws `table` (of jobring_bench_choosing) as `picture`: for each kind of job, what each pool finishes in a second.
set terminal svg size 900,420 font 'sans-serif,13' background '#ffffff'
set output picture
set datafile separator "\t"
set bmargin 3
set style fill solid 1.0
set logscale y
set yrange [50:30000]
set format y '%g'
set ylabel 'jobs a second (logarithmic)'
set grid ytics linecolor '#dddddd'
set border 1 linecolor '#888888'
set tics scale 0
set key outside right center reverse Left samplen 1 spacing 1.3
set xrange [-0.5:2.5]
set xtics ("CPU-bound\n1 ms of a processor" 0, "blocking\nwaits 10 ms in a call" 1, "IO-bound\nasks a server that takes 10 ms" 2)
# Pools in the order of the table.
pools = system(sprintf("awk -F'\\t' '$1 == \"blocking\" {gsub(\" \", \"~\", $2); print $2}' %s", table))
colours = '#1f4e79 #2e86c1 #7fb3d5 #aed6f1 #b9770e #f0b27a'
width = 0.8 / words(pools)
plain(name) = system(sprintf("echo '%s' | tr '~' ' '", name))
kind(name) = name eq 'CPU-bound' ? 0 : name eq 'blocking' ? 1 : 2
plot for [i=1:words(pools)] table \
  using (stringcolumn(2) eq plain(word(pools, i)) ? kind(stringcolumn(1)) + (i - 0.5 - words(pools) / 2.0) * width : NaN):3:(width * 0.9) \
  with boxes linecolor rgb word(colours, i) title plain(word(pools, i))
