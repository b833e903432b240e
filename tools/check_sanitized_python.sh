#!/usr/bin/env bash
# check_sanitized_python.sh BUILD RUNTIME...: puts the package of a sanitized build together and runs the Python tests of the thread scheduler on it, with the
# sanitizer's runtimes preloaded, since the interpreter itself is a plain one. TESTS chooses other tests; DEADLOCKS=0 is
# for those that start workers: Arrow's allocator takes more locks around a fork than the sanitizer can count.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
shift
package=$build/package
rm -rf "$package"
mkdir -p "$package"
cp -r python/muster "$package/muster"
cmake --install "$build" --prefix "$package/muster" >/dev/null
preload=""
for runtime in "$@"; do preload="$preload $(gcc -print-file-name="$runtime")"; done
tests=${TESTS:-tests/test_delayed.py tests/test_bag.py tests/test_collections.py tests/test_interrupt.py tests/ops/test_bounds.py tests/ops/test_native.py tests/ops/test_groupby.py tests/ops/test_objects.py tests/ops/test_promises.py tests/plans/test_plans.py tests/io}
reports=$PWD/$build/reports
rm -rf "$reports"
mkdir -p "$reports"
# Not run: what reads the size of the process, and forks beside threads, since the sanitizer's allocator may be locked in the child. Leaks are not looked for: the interpreter and NumPy leave their own at the end. A test's subprocess writes its report to a file of its own, which fails the run.
status=0
LD_PRELOAD="$preload" PYTHONPATH="$PWD/$package" PYTHONMALLOC=malloc ASAN_OPTIONS="detect_leaks=0:log_path=$reports/address" UBSAN_OPTIONS="print_stacktrace=1:log_path=$reports/undefined" \
  TSAN_OPTIONS="suppressions=$PWD/tools/tsan_python.txt:halt_on_error=0:exitcode=0:detect_deadlocks=${DEADLOCKS:-1}:log_path=$reports/thread" .venv/bin/python -m pytest -q -p no:cacheprovider -k 'not test_the_limit_holds and not test_fork' $tests || status=$?
if [ -n "$(ls "$reports")" ]; then
  cat "$reports"/* | head -n 200
  echo "sanitizer reports are in $reports" >&2
  exit 1
fi
exit $status
