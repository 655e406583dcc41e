"""One execution environment, from its first init to its end.

Theory of operation. A `Box` (namespaces, mounts, cgroup) lives as long as the environment. In it runs one `Life` at
a time: a runtime process with its mailbox and log pipes. An invocation is dispatched to the life's mailbox and is
over when the runtime asks for the next event, exits, or runs out of time. A timeout or an exit kills the life
(reset): `/tmp` and the log stream stay, and the next invocation initialises again inside its own Duration. Out of
memory with `/tmp` on tmpfs ends the environment, because what fills the memory would survive a reset (DESIGN).

Rule: one invocation at a time; the caller (fleet) sees to it.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from plimsoll import clock
from plimsoll.environment import ends
from plimsoll.environment.entrypoint import choose_entrypoint
from plimsoll.environment.journal import Journal
from plimsoll.environment.life import Life
from plimsoll.environment.variables import function_variables
from plimsoll.errors import HostCannot, OutOfMemoryFault, TimeoutFault
from plimsoll.lifecycle import ENVIRONMENT, EnvironmentEvent, EnvironmentState, Machine
from plimsoll.lifecycle.timing import INIT_LIMIT_MS, left_ms
from plimsoll.memory import PLATFORM_BYTES
from plimsoll.meter import Meter, touched
from plimsoll.model import Completed, LogEvent, Outcome, Report
from plimsoll.records import billed_ms, log_stream_name, text
from plimsoll.runtime_api import Delivery, Over, RuntimeApi
from plimsoll.sandbox.box import BoxSpec
from plimsoll.sandbox.box_init import LISTEN_PORT
from plimsoll.sandbox.peers import comes_from

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plimsoll.environment.housing import Housing
    from plimsoll.meter import Measurement
    from plimsoll.model import Function, Invocation
    from plimsoll.model.memory import Touched
    from plimsoll.runtimes import Runtime
    from plimsoll.sandbox.box import Box
    from plimsoll.sandbox.cgroup import Cgroup
    from plimsoll.sandbox.stock import Stock

TMP_INODES = 1 << 18
"""A cap on the files in `/tmp`: inodes are kernel memory, and AWS documents no quota of its own."""
VM_MARGIN_BYTES = 256 << 20
"""By how much the memory of AWS's virtual machine may exceed Memory Size: nobody knows; see docs/decisions/0013. One
allocation of more than both is refused, as a kernel does that has no more."""
_EXIT_NOTICE_MS = 2000.0
_S, _E = EnvironmentState, EnvironmentEvent


class Environment:
    """See the module. Made by `build`."""

    def __init__(
        self,
        function: Function,
        runtime: Runtime,
        housing: Housing,
        box: Box,
        cgroup: Cgroup,
    ) -> None:
        """Use `build`."""
        self.function = function
        self.log_stream = log_stream_name(
            function.version, datetime.now(UTC), secrets.token_hex(16)
        )
        self._runtime = runtime
        self._machine = Machine(ENVIRONMENT, _S.START)
        self._box = box
        self._cgroup = cgroup
        self._meter = Meter(function, cgroup, housing.accounting, self._end_starvation)
        self._journal = Journal()
        self._invocations = 0
        self._init_ms: float | None = None
        self._must_replace = False
        self._settled = housing.accounting == "exact"
        self._tmp_folder = housing.tmp_folder
        self._api = RuntimeApi(None if function.network == "none" else self._admits)
        self._life: Life | None = None
        self._entrypoint = choose_entrypoint(function, runtime)
        self._address = ""

    @classmethod
    def build(
        cls, function: Function, runtime: Runtime, stock: Stock, housing: Housing
    ) -> Environment:
        """Its box, which is being laid out, and its cgroup; the first invocation initialises it.

        Raises `HostCannot`, `LimitNotEnforced`.
        """
        spec = BoxSpec(
            tmp_bytes=function.tmp_bytes,
            tmp_inodes=TMP_INODES,
            binds=housing.binds,
            images=housing.images,
            root=housing.root,
            read_ahead=housing.read_ahead,
            tmp_disk=housing.tmp_disk,
            largest_allocation_bytes=function.memory_bytes + VM_MARGIN_BYTES,
            own_network=function.network == "none",
        )
        limit_bytes = function.memory_bytes - PLATFORM_BYTES
        try:
            made = stock.create(spec, limit_bytes)
        finally:
            if housing.tmp_disk is not None:
                os.close(housing.tmp_disk)
        return cls(function, runtime, housing, *made)

    @property
    def state(self) -> EnvironmentState:
        """Where its life is."""
        return self._machine.state

    @property
    def can_invoke(self) -> bool:
        """Whether it can take another invocation; a replaced one cannot."""
        return not self._must_replace and self.state in {_S.START, _S.READY, _S.FRESH}

    async def invoke(self, invocation: Invocation, *, files: bool = False) -> Completed:
        """Runs one invocation to its end and reports it.

        `files`: walk `/tmp` afterwards, outside the Duration. Whatever the function does comes back as an outcome;
        raises only `PlatformError`.
        """
        if self.state is _S.START:
            await self._start()
        started_ms = clock.monotonic_ms()
        outcome, report_as = await self._run(invocation, started_ms)
        duration_ms = clock.monotonic_ms() - started_ms
        if report_as.status == "timeout":
            duration_ms = self.function.timeout_s * 1000  # as today's logs have it: facts sheet B3
        killed = report_as.error_type == OutOfMemoryFault.error_type
        measured = self._meter.finish(exact=files, after_kill=killed)
        if self._tmp_folder is not None:
            self._check_disk(self._tmp_folder)
        if self.state is _S.RESETTING:
            # before anything is looked at: a thousand processes that still run make each look take seconds
            await self._reset()
        elif self._life is not None:
            self._life.logs.drain(unfinished_line=True)
        report = self._report(invocation, report_as, duration_ms, measured, files=files)
        self._log(text.end(invocation.request_id))
        self._log(text.report_line(report))
        return Completed(outcome, report, self._journal.take())

    def _check_disk(self, folder: Path) -> None:
        """An environment whose disk has lost something takes no further invocation."""
        try:
            self._meter.check_disk(folder)
        except HostCannot:
            self._must_replace = True
            raise

    def touched(self, places: Sequence[str]) -> Touched:
        """Which pages of the files at and below some places inside are its own by now. O(files)."""
        assert self._box.pid is not None
        return touched(self._box.pid, places)

    async def stop(self) -> None:
        """Ends it: processes, `/tmp` and cgroup are gone on return."""
        if self.state is _S.GONE:
            return
        self._machine.on(_E.STOP)
        self._meter.close()
        await self._api.close()
        await self._box.close()
        self._cgroup.remove()
        if self._life is not None:
            self._life.close()
        self._machine.on(_E.STOPPED)

    # phases

    async def _start(self) -> None:
        """Runs the first init, under its own limit of 10 s, as soon as the box stands."""
        runtime = self._runtime
        if self.function.network == "none":
            self._address = f"127.0.0.1:{LISTEN_PORT}"
            listener = await self._box.ready
            assert listener is not None
        else:
            listener = socket.create_server(("127.0.0.1", 0), backlog=16)
            self._address = f"127.0.0.1:{listener.getsockname()[1]}"
        await self._api.listen(listener)
        self._meter.begin_life()
        version_arn = runtime.version_arn(self.function.region)
        self._log(text.init_start(runtime.runtime_version, version_arn))
        self._machine.on(_E.BOX_STARTED)
        self._begin_life()
        await self._box.ready
        assert self._box.pid is not None
        self._meter.open_tmp(self._box.pid)
        await self._first_init()

    async def _first_init(self) -> None:
        life = self._living()
        over = await life.wait_over(INIT_LIMIT_MS)
        self._init_ms = clock.monotonic_ms() - life.started_ms
        failure = await self._init_failure("", over, INIT_LIMIT_MS / 1000)
        if failure is None:
            self._machine.on(_E.INIT_DONE)
            return
        self._log_init_report("init", self._init_ms, failure)
        self._init_ms = None
        self._machine.on(_E.INIT_FAILED)
        await self._reset()

    async def _run(self, invocation: Invocation, started_ms: float) -> tuple[Outcome, Outcome]:
        """To the end of the invocation; gives what the caller gets and what the report says.

        They differ where the runtime had answered before it failed: the caller has that answer by then (facts
        sheet A1), and the report has the failure.
        """
        self._invocations += 1
        limit_ms = self.function.timeout_s * 1000
        suppressed = self.state is _S.FRESH
        self._machine.on(_E.INVOKE)
        self._meter.start_window()
        if suppressed:
            failure = await self._suppressed_init(invocation, limit_ms)
            if failure is not None:
                self._log(text.start(invocation.request_id, self.function.version))
                self._machine.on(_E.INVOKE_FAILED)
                return failure, failure
        life = self._living()
        left = left_ms(limit_ms, started_ms, clock.monotonic_ms())
        arn = invocation.invoked_arn or self.function.arn
        life.mailbox.dispatch(Delivery(invocation, clock.epoch_ms() + int(left), arn))
        # written while the runtime is already waking up; nothing of its own can be read before the next line
        self._log(text.start(invocation.request_id, self.function.version))
        with life.attention():
            over = await life.wait_over(left)
        answer = life.mailbox.answer
        answered = ends.outcome_of_answer(invocation.request_id, answer) if answer else None
        if over is Over.NEXT and answered is not None:
            self._machine.on(_E.INVOKE_DONE)
            return answered, answered
        self._machine.on(_E.INVOKE_FAILED)
        failure = await self._failure(invocation.request_id, over, self.function.timeout_s)
        return answered or failure, failure

    async def _suppressed_init(self, invocation: Invocation, limit_ms: float) -> Outcome | None:
        """Init again, inside the invocation and under the function's timeout; the failure, if it fails."""
        self._begin_life()
        life = self._living()
        over = await life.wait_over(limit_ms)
        failure = await self._init_failure(invocation.request_id, over, self.function.timeout_s)
        if failure is not None:
            self._log_init_report("invoke", clock.monotonic_ms() - life.started_ms, failure)
        return failure

    async def _init_failure(self, request_id: str, over: Over, limit_s: float) -> Outcome | None:
        life = self._living()
        if over is Over.NEXT:
            return self._settle(request_id)
        if over is not Over.EXIT:
            # it still lives: its figure is to be as true as a good one's, which will settle it anew
            if not self._settled:
                with suppress(MemoryError):
                    self._meter.settle_accounting(self._box.pid)
            life.mailbox.accept_init_error()
        answer = life.mailbox.answer
        if over is not Over.TIMEOUT and answer is not None:
            await self._wait_exit(life)
            return Outcome("error", answer.payload, ends.error_type_of(answer), fatal=True)
        return await self._failure(request_id, over, limit_s)

    def _settle(self, request_id: str) -> Outcome | None:
        """After the first good init: the accounting. Not fitting into the memory then is an out-of-memory kill."""
        if self._settled:
            return None
        try:
            self._meter.settle_accounting(self._box.pid)
        except MemoryError:
            self._must_replace = True
            return ends.outcome_of_fault(OutOfMemoryFault(request_id))
        self._settled = True
        return None

    async def _failure(self, request_id: str, over: Over, limit_s: float) -> Outcome:
        """A timeout, or the end of the process."""
        life = self._living()
        if over is Over.TIMEOUT:
            return ends.outcome_of_fault(TimeoutFault(request_id, limit_s))
        if not life.process.ended.done() and not await self._wait_exit(life):
            return ends.outcome_of_fault(TimeoutFault(request_id, limit_s))
        out_of_memory = self._meter.was_out_of_memory()
        end = life.process.ended.result()
        fault = ends.fault_of_end(
            request_id, end, out_of_memory=out_of_memory, entrypoint=self._entrypoint
        )
        if isinstance(fault, OutOfMemoryFault) and self.function.tmp_backing == "tmpfs":
            self._must_replace = True
        return ends.outcome_of_fault(fault)

    async def _wait_exit(self, life: Life) -> bool:
        """A runtime that posted an init error exits at once; one that does not is killed by the reset."""
        return await life.wait_exit(_EXIT_NOTICE_MS) is Over.EXIT

    async def _reset(self) -> None:
        """Kills the life; `/tmp`, box and log stream stay."""
        await self._box.kill_processes()
        self._api.drop_connections()
        if self._life is not None:
            self._life.close()
            self._life = None
        self._meter.begin_life()
        self._machine.on(_E.RESET_DONE)

    def _begin_life(self) -> None:
        variables = function_variables(
            self.function,
            self._runtime.environment(),
            runtime_api=self._address,
            log_stream=self.log_stream,
        )
        self._life = Life(self._box, self._entrypoint.argv, variables, self._journal.append)
        self._api.mailbox = self._life.mailbox

    def _end_starvation(self) -> None:
        """Kills what holds most, as the kernel would if it came to it (docs/decisions/0016)."""
        for process in self._meter.look_at_processes()[:1]:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process.pid, signal.SIGKILL)
                self._meter.count_kill()

    def _admits(self, client: tuple[str, int], server: tuple[str, int]) -> bool:
        """Nobody but this environment's own processes may speak for it."""
        return comes_from(client, server, self._cgroup.pids())

    def _living(self) -> Life:
        assert self._life is not None
        return self._life

    # records

    def _log(self, message: str) -> None:
        self._journal.append_ours(LogEvent(clock.epoch_ms(), message))

    def _log_init_report(self, phase: str, duration_ms: float, failure: Outcome) -> None:
        if self._life is not None:
            self._life.logs.drain(unfinished_line=True)
        error_type = None if failure.status == "timeout" else failure.error_type
        self._log(text.init_report(duration_ms, phase, failure.status, error_type))

    def _report(
        self,
        invocation: Invocation,
        outcome: Outcome,
        duration_ms: float,
        measured: Measurement,
        *,
        files: bool,
    ) -> Report:
        init_ms, self._init_ms = self._init_ms, None
        return Report(
            request_id=invocation.request_id,
            function_name=self.function.name,
            version=self.function.version,
            log_stream=self.log_stream,
            invocation=self._invocations,
            status=outcome.status,
            error_type=outcome.error_type,
            fatal=outcome.fatal,
            duration_ms=duration_ms,
            billed_duration_ms=billed_ms(duration_ms, init_ms),
            init_duration_ms=init_ms,
            memory_size_mib=self.function.memory_mib,
            max_memory_used_mib=measured.peak_bytes >> 20,
            peak_bytes=measured.peak_bytes,
            invocation_peak_bytes=measured.invocation_peak_bytes,
            memory=measured.memory,
            at_end=measured.at_end,
            source=measured.source,
            invocation_source=measured.invocation_source,
            accounting=measured.accounting,
            tmp=self._meter.look_at_tmp() if files else measured.tmp,
            processes=self._meter.look_at_processes() if files else (),
        )
