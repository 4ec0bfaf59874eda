"""The training loop: `transformers.Trainer` with Perennial's batches, losses, evaluation and checkpoints."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from perennial.core import progress
from perennial.core.errors import TrainingError
from perennial.inference.decoders import Outputs
from perennial.kinds.protocols import LearnsTargets
from perennial.records.training import Halved, StepFloor
from perennial.settings.export import StudentSpec
from perennial.settings.training import TrainingSpec
from perennial.training import checkpoints, memory, param_groups
from perennial.training.averaging import Average
from perennial.training.batching import TokenBudgetSampler
from perennial.training.callbacks import AfterEpoch
from perennial.training.checkpoints import Best, Checkpoints
from perennial.training.encoding.dataset import EncodedRows, collate
from perennial.training.l2_sp import L2SP
from perennial.training.memory import BatchPieces, Inputs
from perennial.training.model import outputs_of

Judge = Callable[[Outputs], dict[str, float]]
"""Metrics of the outputs for all validation segments, in their order."""

EVALUATION_TOKENS = 8192
EVALUATIONS = 10
"""Of a training whose epochs were made many by `training.min_steps`: each looks at all validation rows, and may write
the weights."""


class PerennialTrainer(Trainer):
    """Fine-tunes on token-budget batches and keeps the best checkpoint by the kind's own metric.

    Checkpoints hold safetensors and JSON instead of transformers' pickles.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        arguments: TrainingArguments,
        *,
        kind: LearnsTargets,
        training: TrainingSpec,
        rows: EncodedRows,
        validation: Sequence[np.ndarray],
        judge: Judge,
        padding: int,
        statistics: Mapping[str, np.ndarray],
        kept: Checkpoints,
        held: Collection[str] = (),
        student: StudentSpec | None = None,
        step_floor: StepFloor | None = None,
        heard: AfterEpoch | None = None,
    ) -> None:
        """`validation`: token ids of each segment of the validation rows. `held`: names of the weights that
        `training.hold` holds where they are now. `student`: how what a teacher gives for `rows` counts, where one
        does. `step_floor`: what is other in `training` than it was set. `heard`: hears of each evaluation."""
        # transformers wants an eval_dataset; what is judged, and how, is ours (`evaluate`).
        super().__init__(model=network, args=arguments, train_dataset=rows, eval_dataset=rows)
        self.kind, self.training, self.rows, self.validation = kind, training, rows, validation
        self.judge, self.padding, self.kept = judge, padding, kept
        self.student, self.step_floor, self.heard = student, step_floor, heard
        self.average = Average(network, training.averaging)
        self.hold = L2SP(network, training.hold_strength if training.hold == "l2-sp" else 0.0, held)
        self.pieces = BatchPieces(training)
        self._share = 1.0
        self._evaluation_tokens = EVALUATION_TOKENS
        self._best_outputs: list[np.ndarray] | None = None
        self.optimizer: Any
        self.control: TrainerControl
        self.statistics = {name: torch.from_numpy(values).to(arguments.device) for name, values in statistics.items()}
        self.loss_is_scaled_for_ga = False
        self.sampler = TokenBudgetSampler(
            rows.lengths,
            tokens=training.tokens_per_batch,
            max_rows=training.rows_per_batch,
            seed=training.seed,
            rank=arguments.process_index,
            world_size=arguments.world_size,
        )
        self.remove_callback(PrinterCallback)
        self.add_callback(_Pace(self, training))

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches of like lengths under the token budget."""
        return DataLoader(
            self.rows,
            batch_sampler=self.sampler,
            collate_fn=partial(collate, padding=self.padding),
            pin_memory=self.args.device.type == "cuda",
        )

    def create_optimizer(self, model: torch.nn.Module | None = None) -> Any:
        """Fused AdamW; each layer has its own learning rate, biases and norms no weight decay."""
        network = self.model if model is None else model
        if self.optimizer is None:
            decayed = set(self.get_decay_parameter_names(network)) - self.hold.names
            parameter_groups = param_groups.parameter_groups(network, self.training, self.args.learning_rate, decayed)
            self.optimizer = torch.optim.AdamW(parameter_groups, fused=True)
        return self.optimizer

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The kind's loss of one batch, mixed with the distance from the teacher's outputs where there is one."""
        targets, soft = inputs.pop("targets"), inputs.pop("soft", None)
        outputs = model(**inputs)
        loss = self.kind.loss(outputs.float(), targets, self.statistics, self.training)
        if self.student is not None and soft is not None:
            apart = self.kind.soft_loss(outputs.float(), soft, targets, self.student.temperature)
            loss = torch.lerp(loss, apart, self.student.soft_share)
        loss = loss * self._share
        return (loss, outputs) if return_outputs else loss

    def training_step(
        self, model: torch.nn.Module, inputs: Inputs, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """The loss of a batch, its gradient added; learned in pieces if memory ran out for it or for one before."""
        loss = self.pieces.learn(inputs, partial(self._in_pieces, model, num_items_in_batch), self._start_step_anew)
        if self.accelerator.sync_gradients:
            self.hold.pull()
        return loss

    def _in_pieces(self, model: torch.nn.Module, items: torch.Tensor | int | None, batch: Inputs) -> torch.Tensor:
        losses = []
        for share, piece in memory.cut_batch(batch, self.pieces.number):
            self._share = share
            losses.append(super().training_step(model, piece, items))
        return torch.stack(losses).sum()

    def _start_step_anew(self) -> int:
        if self.args.world_size > 1:
            # The others wait for this process's gradient: they can't be told to begin anew.
            raise memory.exhausted(f"at step {self.state.global_step} in one of {self.args.world_size} processes")
        self.model.zero_grad()
        return int(self.state.global_step)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Metrics of the validation split, by the average of the weights; keeps that if it is the best so far."""
        with self.average.in_place(self.state.global_step):
            metrics = self._judge_and_keep()
        prefixed = {f"eval_{name}": value for name, value in metrics.items()}
        self.log(prefixed)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, prefixed)
        if self.heard is not None:
            self.heard(float(self.state.epoch or 0), metrics)
        return prefixed

    def _judge_and_keep(self) -> dict[str, float]:
        outputs = self.validation_outputs()
        if not all(np.isfinite(output).all() for output in outputs):
            raise _diverged("the model's outputs are no finite numbers", self.state, self.args)
        metrics = self.judge(outputs)
        score = metrics.get(self.kind.selection_metric)
        if score is None:
            raise TrainingError(
                f"The validation rows give no {self.kind.selection_metric}, by which the best checkpoint is chosen: "
                "none of them holds what is looked for.",
                remedy="Raise data.splits.validation, or add rows.",
            )
        best = self.kept.best()
        if best is None or score > best.score or (score == best.score and self._is_early(best)):
            self.kept.keep_best(self.model, Best(score, float(self.state.epoch or 0), metrics))
            self._best_outputs = outputs
        return metrics

    def _is_early(self, best: Best) -> bool:
        """Whether `best` had fewer steps than there must be: what is as good later has learned more, which few
        validation rows can't tell."""
        steps = int(self.state.global_step) * best.epoch / float(self.state.epoch or 1)
        return bool(round(steps) < (self.training.min_steps or 0))

    @property
    def enough_steps(self) -> bool:
        """Whether as many steps were taken as `training.min_steps` asks for."""
        return int(self.state.global_step) >= (self.training.min_steps or 0)

    def validation_outputs(self) -> list[np.ndarray]:
        """What the model gives for each validation segment, float32, in their order."""
        self.model.eval()
        while (outputs := memory.tried(self._outputs)) is None:
            self._evaluation_tokens //= 2
            if not self._evaluation_tokens:
                raise memory.exhausted("in the evaluation of a single text")
        return outputs

    def best_outputs(self) -> list[np.ndarray]:
        """`validation_outputs` of the best checkpoint, whose weights the model has: those by which it was found the
        best, if that was since this training was begun or resumed."""
        return self.validation_outputs() if self._best_outputs is None else self._best_outputs

    def _outputs(self) -> list[np.ndarray]:
        return outputs_of(self.model, self.validation, self.padding, self._evaluation_tokens)

    # From here on: transformers' checkpoint hooks, over files without pickle.

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        if self.args.should_save:
            self.kept.save(self.state.global_step, self._write_checkpoint)

    def _write_checkpoint(self, folder: Path) -> None:
        state = {name: value.contiguous() for name, value in self.model.state_dict().items()}
        save_file(state, folder / checkpoints.MODEL)
        checkpoints.save_optimizer(folder / checkpoints.OPTIMIZER, self.optimizer.state_dict())
        save_file(self.average.state(), folder / checkpoints.AVERAGE)
        checkpoints.save_random(folder / checkpoints.RANDOM)
        halved = [one.model_dump() for one in self.pieces.halved]
        state_of_run = {"scheduler": self.lr_scheduler.state_dict(), "halved": halved}
        (folder / checkpoints.STATE).write_text(json.dumps(state_of_run), encoding="utf-8")
        self.state.save_to_json(str(folder / checkpoints.TRAINER_STATE))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        target = self.model if model is None else model
        target.load_state_dict(load_file(Path(resume_from_checkpoint) / checkpoints.MODEL))
        self.average.load(load_file(Path(resume_from_checkpoint) / checkpoints.AVERAGE))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        folder = Path(checkpoint)
        self.optimizer.load_state_dict(checkpoints.load_optimizer(folder / checkpoints.OPTIMIZER))
        state = json.loads((folder / checkpoints.STATE).read_bytes())
        self.lr_scheduler.load_state_dict(state["scheduler"])
        self.pieces.halved = [Halved.model_validate(one) for one in state["halved"]]

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoints.load_random(Path(checkpoint) / checkpoints.RANDOM)


class _Pace(TrainerCallback):
    """Tells the sampler its epoch, reports progress, saves checkpoints by the clock, stops early or when diverged."""

    def __init__(self, trainer: PerennialTrainer, training: TrainingSpec) -> None:
        self.trainer, self.training = trainer, training
        self.saved = time.monotonic()
        self.detail = ""

    def on_epoch_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.trainer.sampler.epoch = int(state.epoch or 0)

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.trainer.pieces.begin()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.trainer.average.after(state.global_step)
        progress.advance(state.global_step, state.max_steps, unit="step", detail=self.detail)
        # What is saved at an epoch's last step would be taken up in the next epoch, without this one's evaluation.
        if not float(state.epoch or 0).is_integer():
            self._save_if_due(control)

    def on_epoch_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._is_judged(float(state.epoch or 0)):
            self._save_if_due(control)  # which transformers does after the evaluation
        else:
            # Nor is it saved: what is taken up at an epoch's end must hold its evaluation.
            control.should_evaluate = False

    def _is_judged(self, epoch: float) -> bool:
        epochs = self.training.epochs
        every = 1 if self.trainer.step_floor is None else max(1, int(epochs / EVALUATIONS))
        return round(epoch) % every == 0 or epoch >= epochs

    def _save_if_due(self, control: TrainerControl) -> None:
        if time.monotonic() - self.saved >= self.training.checkpoint_seconds:
            self.saved = time.monotonic()
            control.should_save = True

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any) -> None:
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            raise _diverged(f"the loss was {loss}", state, args)
        self.detail = f"epoch {state.epoch:.1f}, loss {loss:.3f}"

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        best = self.trainer.kept.best()
        late = best is not None and (state.epoch or 0) - best.epoch >= self.training.early_stopping
        if late and self.trainer.enough_steps:
            control.should_training_stop = True
            # Taken up from here it would go on: transformers forgets that it was to stop.
            control.should_save = False


def _diverged(loss: str, state: TrainerState, args: Any) -> TrainingError:
    return TrainingError(
        f"Training diverged: {loss} at step {state.global_step} of {state.max_steps}.",
        remedy=f"Lower training.learning_rate (it was {args.learning_rate:.1e}), or set training.precision to fp32, "
        "and run again; the champion stays.",
    )
