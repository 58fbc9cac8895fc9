<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 502: the model server failed. */
final class UpstreamError extends InternalServerError
{
}
