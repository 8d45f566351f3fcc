"""Which torch functions and methods compute a value and do nothing else, so that they may be run again."""


def words(text: str) -> frozenset[str]:
    """The words of a text, for tables that are read as prose."""
    return frozenset(text.split())


PURE = words(
    """
    abs absolute acos add addbmm addcdiv addcmul addmm addmv addr all amax amin angle any arange argmax argmin
    argsort asin as_tensor atan atan2 atleast_1d atleast_2d atleast_3d baddbmm bincount bitwise_and bitwise_not
    bitwise_or bitwise_xor block_diag bmm bool broadcast_to bucketize cat cdist ceil chunk clamp clip clone
    column_stack complex concat concatenate conj contiguous conv1d conv2d conv3d conv_transpose1d conv_transpose2d
    copysign cos cosh count_nonzero cov cpu cross cummax cummin cumprod cumsum deg2rad det detach diag diag_embed
    diagonal diff dim dist div divide dot double dsplit dstack einsum empty empty_like eq equal erf exp expand
    expand_as expm1 eye fill flatten flip fliplr flipud float float_power floor floor_divide fmod frac full
    full_like gather ge ger gt half heaviside histc hsplit hstack hypot index_add index_copy index_fill index_select
    inner int inverse is_complex is_floating_point isclose isfinite isinf isnan kron kthvalue le lerp linspace log
    log10 log1p log2 log_softmax logaddexp logcumsumexp logdet logical_and logical_not logical_or logical_xor
    logspace logsumexp long lt lu masked_fill masked_scatter masked_select matmul matrix_exp matrix_power max
    maximum mean median meshgrid min minimum mm mode moveaxis movedim mul multinomial multiply mv mvlgamma
    nan_to_num nanmean nansum narrow ndimension ne neg negative nelement new_empty new_full new_ones new_tensor
    new_zeros nonzero norm numel ones ones_like outer permute pinverse pow prod quantile rad2deg rand rand_like
    randint randn randn_like randperm ravel real reciprocal relu remainder renorm repeat repeat_interleave reshape
    reshape_as roll rot90 round row_stack rsqrt rsub scatter scatter_add searchsorted select selu sgn short sigmoid
    sign sin sinc sinh size slice_scatter softmax softplus sort split split_with_sizes sqrt square squeeze stack std
    std_mean stride sub subtract sum swapaxes swapdims t take take_along_dim tan tanh tensor tensor_split tensordot
    tile to topk trace transpose tril tril_indices triu triu_indices true_divide trunc type type_as unbind unflatten
    unfold unique unsqueeze var var_mean vdot view view_as vsplit vstack where xlogy zeros zeros_like stft
    from_numpy cholesky qr svd eigh solve lstsq inv item tolist
    """
)
"""Functions of `torch` and methods of tensors."""

FUNCTIONAL = words(
    """
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d affine_grid alpha_dropout avg_pool1d avg_pool2d
    avg_pool3d batch_norm bilinear binary_cross_entropy binary_cross_entropy_with_logits celu conv1d conv2d conv3d
    conv_transpose1d conv_transpose2d conv_transpose3d cosine_embedding_loss cosine_similarity cross_entropy
    ctc_loss dropout dropout1d dropout2d elu embedding embedding_bag fold gaussian_nll_loss gelu glu grid_sample
    group_norm gumbel_softmax hardsigmoid hardswish hardtanh hinge_embedding_loss huber_loss instance_norm
    interpolate kl_div l1_loss layer_norm leaky_relu linear log_softmax logsigmoid lp_pool2d margin_ranking_loss
    max_pool1d max_pool2d max_pool3d mish mse_loss multi_margin_loss multilabel_margin_loss nll_loss normalize
    one_hot pad pairwise_distance pixel_shuffle pixel_unshuffle poisson_nll_loss prelu relu relu6 rms_norm
    scaled_dot_product_attention selu sigmoid silu smooth_l1_loss soft_margin_loss softmax softmin softplus
    softshrink softsign tanh tanhshrink threshold triplet_margin_loss unfold upsample pad_sequence vector_norm
    matrix_norm norm cross det inv multi_dot
    """
)
"""Functions of `torch.nn.functional`, `torch.nn.utils.rnn` and `torch.linalg`."""

BUILTINS = words(
    """
    abs bool dict enumerate float int len list max min range reversed round slice sorted str sum tuple zip
    """
)
"""Builtins that are run on numbers, strings, tuples and lists of the program; on tensors they only call pure methods."""

ATTRIBUTES = words(
    """
    T mT H mH shape ndim dtype device data real imag is_cuda requires_grad itemsize nbytes is_leaf layout
    """
)
"""Attributes of tensors whose reading computes a view or nothing."""

WRITING = words("batch_norm instance_norm embedding embedding_bag")
"""Functions that may change an operand: running statistics, rows that are renormalised. On copies only."""

ARRAYS = words(
    "all any argmax argmin astype clip copy cumsum diagonal dot flatten item max mean min nonzero prod ravel repeat reshape "
    "round squeeze std sum swapaxes take tolist trace transpose var"
)
"""Methods of numpy arrays; `sort` and `fill` change the array."""

RANDOM = words(
    "rand randn randint randperm rand_like randn_like multinomial dropout alpha_dropout Dropout gumbel_softmax empty"
)
"""Functions and layers whose values are others when they are computed again; their shapes are not."""
