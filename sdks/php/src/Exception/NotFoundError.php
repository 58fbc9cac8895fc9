<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 404: there is nothing. */
class NotFoundError extends APIStatusError
{
}
