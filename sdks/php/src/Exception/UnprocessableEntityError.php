<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 422: the request cannot be processed. */
class UnprocessableEntityError extends APIStatusError
{
}
